/** Admission inside one process: the machine behind its engine, asked for claims on limiters that never change. */

import type { AdmitOptions } from "../client/api/admission-controller.ts";
import type { Lease } from "../client/api/lease.ts";
import type { Refusal } from "../client/api/refusal.ts";
import { createLeakGuard } from "../client/hold/leak-guard.ts";
import { createSpentLease } from "../client/lease/handle.ts";
import { createRandom } from "../client/rpc/random.ts";
import { isAnswer } from "../reasons/reasons.ts";
import { createEmbeddedEngine } from "../server/engine/embedded/embedded-engine.ts";
import type { AnswerTo, EngineUnavailable, StreamNews } from "../server/engine/engine.ts";
import type { Claim } from "../server/machine/limiter/claim.ts";
import type { Acquire, Waiting } from "../server/machine/limiter/command.ts";
import type { LimiterConfig } from "../server/machine/limiter/limiter.ts";
import type { ShownGrant } from "../server/machine/limiter/show.ts";
import type { LimiterStatus } from "../server/machine/limiter/view.ts";
import { createMemoryStore } from "../server/store/memory-store.ts";
import { createCallSites, UNKNOWN_SITE } from "./call-sites.ts";
import { createLocalClock } from "./clock.ts";
import { createLocalLease, grantOf } from "./local-lease.ts";
import { waitToMicros } from "./options.ts";
import { refusalToAnswer, refusalToError } from "./refusal-error.ts";
import { createYoungLeases } from "./young-leases.ts";

/** Of random digits in the ids of leases: those of two processes are then not the same in a log. */
const PREFIX_DIGITS = 12;

/** The options without the claims. */
export type Asking = Pick<AdmitOptions, "signal" | "maxWait" | "onWaiting">;

export interface LocalAdmission {
  /** Returns where the caller of `below` stands, for the warning that its lease was forgotten. */
  siteOf(below: (...args: never[]) => unknown): string;
  /** `site`: as above. Rejects with an `AdmissionError`, the signal's reason, or what `onWaiting` threw. */
  acquire(claims: readonly Claim[], asking: Asking, site: string): Promise<Lease>;
  /** Answers at once, but for a caller that hears from this very limiter (`onWaiting`). Throws what `acquire` rejects with. */
  tryAcquire(
    claims: readonly Claim[],
    asking: Pick<Asking, "signal">,
    site: string,
  ): Lease | Refusal | Promise<Lease | Refusal>;
  /** The status of a limiter; of a keyed one that of one key, or with an empty key of all together. */
  status(limiter: string, key: string): Promise<LimiterStatus>;
}

/** What is said of a request that waits. */
type Hearer = (news: StreamNews | AnswerTo<Acquire>) => void;

export function createLocalAdmission(configs: readonly LimiterConfig[]): LocalAdmission {
  const clock = createLocalClock();
  const sites = createCallSites();
  const young = createYoungLeases(createLeakGuard(warn), clock);
  // Each limiter has its own bound on those that wait.
  const machine = { maxWaiters: Number.POSITIVE_INFINITY };
  const engine = createEmbeddedEngine({ clock, store: createMemoryStore(), machine });
  const prefix = createRandom().requestId().slice(0, PREFIX_DIGITS);
  let asked = 0;
  /** One stream carries all: to whom something is said, its id tells. What is said of those that are answered is lost. */
  const waiting = new Map<string, Hearer>();
  const stream = engine.openStream((news, about) => waiting.get(about)?.(news), IGNORE);
  for (const config of configs) engine.submit({ kind: "create-limiter", config }, IGNORE, IGNORE);

  function warn(message: string, site: string): void {
    if (site === UNKNOWN_SITE) sites.lookAtAll();
    emitWarning(message, `acquired\n${site}`);
  }

  function commandOf(claims: readonly Claim[], maxWait: number | undefined): Acquire {
    asked += 1;
    return {
      kind: "acquire",
      id: `${prefix}-${asked}`,
      claims,
      holder: "",
      maxWait,
      ttl: undefined,
      requestId: "",
      stream,
      monitored: true,
      keepOnCancel: false,
      session: undefined,
    };
  }

  function leaseOf({ lease, held }: ShownGrant, signal: AbortSignal | undefined, site: string): Lease {
    if (!held) return createSpentLease(grantOf(lease), "local");
    return createLocalLease({ lease, engine, young, signal, site });
  }

  /** Waits for its turn. */
  function wait(claims: readonly Claim[], asking: Asking, site: string): Promise<Lease> {
    const { signal, onWaiting } = asking;
    const maxWait = waitToMicros(asking.maxWait);
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const command = commandOf(claims, maxWait);
      const { id } = command;
      let sleep = () => {};

      /** From here on nothing of this call is needed, and nothing of it may keep the handle from being collected. */
      function close(): void {
        waiting.delete(id);
        sleep();
        signal?.removeEventListener("abort", onAbort);
      }
      /** Withdraws the request: what it holds or will hold is free at once. */
      function takeBack(reason: unknown): void {
        close();
        engine.submit({ kind: "leave", id, stream, how: "cancelled" }, IGNORE, IGNORE);
        reject(reason);
      }
      function onAbort(): void {
        takeBack(signal?.reason);
      }
      function tell({ waitersAhead, estimatedWait }: Pick<Waiting, "waitersAhead" | "estimatedWait">): void {
        try {
          onWaiting?.({ waitersAhead, estimatedWaitMs: estimatedWait && estimatedWait / 1000 });
        } catch (error) {
          takeBack(error);
        }
      }
      function hear(news: StreamNews | AnswerTo<Acquire>): void {
        if (!waiting.has(id)) return;
        switch (news.kind) {
          case "waiting":
            sleep = clock.keepAwake();
            tell(news);
            return;
          case "moved":
            tell(news.waiter);
            return;
          case "granted":
            close();
            resolve(leaseOf(news, signal, site));
            return;
          case "refused":
            close();
            reject(refusalToError(news));
        }
      }
      /** Rejects the request. Only an engine that has ended calls it, and this one never ends. */
      function lose(error: EngineUnavailable): void {
        close();
        reject(error);
      }

      waiting.set(id, hear);
      signal?.addEventListener("abort", onAbort);
      engine.submit(command, hear, lose);
    });
  }

  /** The lease, or the refusal where that is an answer. */
  function answerOf(answer: AnswerTo<Acquire>, signal: AbortSignal | undefined, site: string): Lease | Refusal {
    if (answer.kind === "granted") return leaseOf(answer, signal, site);
    if (answer.kind !== "refused") throw new Error(`a request that does not wait was answered ${answer.kind}`);
    const { reason } = answer;
    if (!isAnswer(reason) || reason === "KEY_REQUIRED" || reason === "KEY_NOT_ALLOWED") throw refusalToError(answer);
    return refusalToAnswer({ ...answer, reason });
  }

  return {
    siteOf: (below) => sites.of(below),
    acquire: wait,
    tryAcquire(claims, { signal }, site) {
      signal?.throwIfAborted();
      let now = undefined as AnswerTo<Acquire> | undefined;
      let late: PromiseWithResolvers<AnswerTo<Acquire>> | undefined;
      engine.submit(
        commandOf(claims, 0),
        (answer) => {
          if (late === undefined) now = answer;
          else late.resolve(answer);
        },
        IGNORE,
      );
      if (now !== undefined) return answerOf(now, signal, site);
      late = Promise.withResolvers();
      return late.promise.then((answer) => answerOf(answer, signal, site));
    },
    async status(limiter, key) {
      const view = await engine.limiter(limiter, key);
      if (view === undefined) throw new RangeError(`there is no limiter ${JSON.stringify(limiter)} among these`);
      return view.status;
    },
  };
}

const IGNORE = () => {};

function emitWarning(message: string, detail: string): void {
  if (typeof process === "object" && typeof process.emitWarning === "function") {
    process.emitWarning(message, { type: "LeaseLeakWarning", detail });
  } else {
    console.warn(`${message}\n${detail}`);
  }
}
