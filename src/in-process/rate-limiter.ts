/** The service's limiter inside one process: the same machine behind the same interface, with no server. */

import { emitWarning } from "node:process";
import type { AdmissionController, AdmitOptions, TryAdmitOptions } from "../client/admission-controller.ts";
import { callSite } from "../client/call-site.ts";
import { createLeakGuard } from "../client/leak-guard.ts";
import type { Lease } from "../client/lease.ts";
import { createLease, createSpentLease } from "../client/lease-handle.ts";
import { createRefusal, type Refusal } from "../client/refusal.ts";
import { createSystemClock } from "../server/clock.ts";
import { createEmbeddedEngine } from "../server/engine/embedded/embedded-engine.ts";
import { createIds } from "../server/ids.ts";
import type { Claim } from "../server/machine/claim.ts";
import type { Granted, Waiting } from "../server/machine/command.ts";
import type { Refusal as MachineRefusal } from "../server/machine/reasons.ts";
import { refusalMessage } from "../server/machine/refusal-message.ts";
import type { LimiterStatus } from "../server/machine/view.ts";
import { createMemoryStore } from "../server/store/memory-store.ts";
import { createLocalLease, grantOf } from "./local-lease.ts";
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
  const guard = createLeakGuard((message, stack) =>
    emitWarning(message, { type: "LeaseLeakWarning", detail: `acquired\n${stack}` }),
  );
  const engine = createEmbeddedEngine({
    clock,
    store: createMemoryStore(),
    machine: { maxWaiters: config.maxWaiters },
  });
  engine.submit([{ kind: "create-limiter", config }], () => {});

  /** Resolves with the lease or the refusal; rejects with the signal's reason. */
  function ask(claim: Claim, admit: AdmitOptions, site: string): Promise<Lease | MachineRefusal> {
    const { signal, maxWait, onWaiting } = admit;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = ids.next();
      const stream = engine.openStream((news) => {
        if (news.kind === "granted") hold(news);
        else if (news.kind === "refused") refuse(news);
        else if (news.kind === "moved") tell(news.waiter);
      });

      function onAbort(): void {
        engine.submit([{ kind: "leave", id, stream, how: "cancelled" }], () => {});
        close();
        reject(signal?.reason);
      }
      function close(): void {
        signal?.removeEventListener("abort", onAbort);
        engine.closeStream(stream);
      }
      // From here on nothing of this call is needed, and nothing of it may keep the handle from being collected.
      function hold({ lease, held }: Granted): void {
        close();
        if (held) resolve(createLease(createLocalLease({ lease, clock, engine, signal }), guard, site));
        else resolve(createSpentLease(grantOf(lease, clock), "local"));
      }
      function tell({ waitersAhead, estimatedWait }: Pick<Waiting, "waitersAhead" | "estimatedWait">): void {
        onWaiting?.({ waitersAhead, estimatedWaitMs: estimatedWait && estimatedWait / 1000 });
      }
      function refuse(no: MachineRefusal): void {
        close();
        resolve(no);
      }

      signal?.addEventListener("abort", onAbort);
      const command = {
        kind: "acquire",
        id,
        claims: [claim],
        holder: "",
        maxWait: waitToMicros(maxWait),
        ttl: undefined,
        requestId: "",
        stream,
        probed: true,
        keepOnCancel: false,
      } as const;
      engine.submit([command], ([outcome]) => {
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

  async function inFlight(): Promise<number> {
    return (await status()).permitsInUse;
  }

  async function acquire(admit: AdmitOptions = {}): Promise<Lease> {
    const answer = await ask(checkClaim(config, admit), admit, callSite(acquire));
    if (isRefusal(answer)) throw refusalToError(answer);
    return answer;
  }

  async function tryAcquire(admit: TryAdmitOptions = {}): Promise<Lease | Refusal> {
    const answer = await ask(checkClaim(config, admit), { ...admit, maxWait: 0 }, callSite(tryAcquire));
    if (!isRefusal(answer)) return answer;
    const { reason, retryAfter, limiter, key, waitersAhead } = answer;
    if (!isAnswer(reason)) throw refusalToError(answer);
    const retryAfterMs = retryAfter === undefined ? undefined : retryAfter / 1000;
    return createRefusal({ reason, message: refusalMessage(answer), limiter, key, retryAfterMs, waitersAhead });
  }

  return {
    acquire,
    tryAcquire,
    async utilization() {
      return config.maxConcurrent === undefined ? 0 : (await inFlight()) / config.maxConcurrent;
    },
    async capacity() {
      return config.maxConcurrent ?? Number.POSITIVE_INFINITY;
    },
    inFlight,
  };
}

type NotNow = "CONCURRENCY_EXHAUSTED" | "RATE_EXHAUSTED" | "WAITERS_AHEAD";

/** The "not now" that `tryAcquire` answers; any other refusal is an error. */
function isAnswer(reason: MachineRefusal["reason"]): reason is NotNow {
  return reason === "CONCURRENCY_EXHAUSTED" || reason === "RATE_EXHAUSTED" || reason === "WAITERS_AHEAD";
}

function isRefusal(answer: Lease | MachineRefusal): answer is MachineRefusal {
  return "reason" in answer;
}
