/** The service's limiter inside one process: the same machine behind the same interface, with no server. */

import type { AdmissionController, AdmitOptions, TryAdmitOptions } from "../client/admission-controller.ts";
import type { Lease } from "../client/lease.ts";
import { createRefusal, type Refusal } from "../client/refusal.ts";
import { createSystemClock } from "../server/clock.ts";
import { createEmbeddedEngine } from "../server/engine/embedded/embedded-engine.ts";
import { createIds } from "../server/ids.ts";
import type { Claim } from "../server/machine/claim.ts";
import type { Acquire, Granted, Waiting } from "../server/machine/command.ts";
import type { Refusal as MachineRefusal } from "../server/machine/reasons.ts";
import type { LimiterStatus } from "../server/machine/view.ts";
import { createMemoryStore } from "../server/store/store.ts";
import { refusalMessage } from "../server/wire/error-wire.ts";
import { type LocalLease, openLocalLease } from "./local-lease.ts";
import { checkClaim, limiterConfig, type RateLimiterOptions, waitToMicros } from "./options.ts";
import { refusalToError } from "./refusal-error.ts";

/**
 * Makes a limiter of its own for this process: `createRateLimiter({ maxRps: 100, maxConcurrent: 5, burstSize: 20 })`.
 * Throws a `RangeError` that names the option for limits that cannot be.
 */
export function createRateLimiter(options: RateLimiterOptions): AdmissionController {
  const config = limiterConfig(options);
  const clock = createSystemClock();
  const ids = createIds();
  const engine = createEmbeddedEngine({
    clock,
    store: createMemoryStore(),
    machine: { maxWaiters: config.maxWaiters },
  });
  engine.submit([{ kind: "create-limiter", config }], () => {});

  function acquireCommand(claim: Claim, maxWait: number | undefined): Omit<Acquire, "stream"> {
    return {
      kind: "acquire",
      id: ids.next(),
      claims: [claim],
      holder: "",
      maxWait,
      ttl: undefined,
      requestId: "",
      probed: true,
    };
  }

  /** Resolves with the lease or the refusal; rejects with the signal's reason. */
  function ask(claim: Claim, { signal, maxWait, onWaiting }: AdmitOptions): Promise<Lease | MachineRefusal> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      let lease: LocalLease | undefined;
      const command = acquireCommand(claim, waitToMicros(maxWait));
      const stream = engine.openStream((news) => {
        if (news.kind === "granted") hold(news);
        else if (news.kind === "moved" && news.waiter) tell(news.waiter);
        else if (news.kind === "refused") refuse(news);
      });
      const leave = () => {
        engine.submit([{ kind: "leave", id: command.id, stream, how: "cancelled" }], () => {});
        engine.closeStream(stream);
      };
      const onAbort = () => {
        leave();
        lease?.lose(signal?.reason);
        reject(signal?.reason);
      };
      const done = () => {
        signal?.removeEventListener("abort", onAbort);
        engine.closeStream(stream);
      };
      function hold(granted: Granted): void {
        lease = openLocalLease({ granted, clock, engine, onEnd: done });
        if (!granted.held) done();
        resolve(lease.handle);
      }
      function tell({ waitersAhead, estimatedWait }: Pick<Waiting, "waitersAhead" | "estimatedWait">): void {
        onWaiting?.({ waitersAhead, estimatedWaitMs: estimatedWait === undefined ? undefined : estimatedWait / 1000 });
      }
      function refuse(no: MachineRefusal): void {
        done();
        resolve(no);
      }
      signal?.addEventListener("abort", onAbort);
      engine.submit([{ ...command, stream }], ([outcome]) => {
        if (outcome.kind === "granted") hold(outcome);
        else if (outcome.kind === "refused") refuse(outcome);
        else tell(outcome);
      });
    });
  }

  async function status(): Promise<LimiterStatus> {
    const view = await engine.limiter(config.name, "");
    if (view === undefined) throw new Error("an in-process limiter is never deleted");
    return view.status;
  }

  async function capacity(): Promise<number> {
    return config.maxConcurrent ?? Number.POSITIVE_INFINITY;
  }

  async function inFlight(): Promise<number> {
    return (await status()).permitsInUse;
  }

  return {
    async acquire(admit: AdmitOptions = {}): Promise<Lease> {
      const answer = await ask(checkClaim(config, admit), admit);
      if ("reason" in answer) throw refusalToError(answer);
      return answer;
    },
    async tryAcquire(admit: TryAdmitOptions = {}): Promise<Lease | Refusal> {
      const answer = await ask(checkClaim(config, admit), { ...admit, maxWait: 0 });
      if (!("reason" in answer)) return answer;
      const { reason, retryAfter, limiter, key, waitersAhead } = answer;
      if (reason === "CLAIM_EXCEEDS_LIMIT") throw refusalToError(answer);
      return createRefusal({
        // The reasons that stand for a bad request have been checked before.
        reason: reason as Refusal["reason"],
        message: refusalMessage(answer),
        limiter,
        key,
        retryAfterMs: retryAfter === undefined ? undefined : retryAfter / 1000,
        waitersAhead,
      });
    },
    async utilization() {
      return config.maxConcurrent === undefined ? 0 : (await inFlight()) / config.maxConcurrent;
    },
    capacity,
    inFlight,
  };
}
