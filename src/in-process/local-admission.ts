/** Admission inside one process: the machine behind its engine, asked for claims on limiters that never change. */

import type { AdmitOptions } from "../client/api/admission-controller.ts";
import type { Lease } from "../client/api/lease.ts";
import type { Refusal } from "../client/api/refusal.ts";
import { createLeakGuard } from "../client/hold/leak-guard.ts";
import { createLease, createSpentLease } from "../client/lease/handle.ts";
import { createRandom } from "../client/rpc/random.ts";
import { isAnswer } from "../reasons/reasons.ts";
import { createEmbeddedEngine } from "../server/engine/embedded/embedded-engine.ts";
import type { AnswerTo, EngineUnavailable } from "../server/engine/engine.ts";
import type { Claim } from "../server/machine/limiter/claim.ts";
import type { Acquire, Waiting } from "../server/machine/limiter/command.ts";
import type { LimiterConfig } from "../server/machine/limiter/limiter.ts";
import type { ShownGrant } from "../server/machine/limiter/show.ts";
import type { LimiterStatus } from "../server/machine/limiter/view.ts";
import type { Refusal as MachineRefusal } from "../server/machine/reasons.ts";
import { createMemoryStore } from "../server/store/memory-store.ts";
import { createLocalClock } from "./clock.ts";
import { createLocalLease, grantOf } from "./local-lease.ts";
import { waitToMicros } from "./options.ts";
import { refusalToAnswer, refusalToError } from "./refusal-error.ts";

/** The options without the claims. */
export type Asking = Pick<AdmitOptions, "signal" | "maxWait" | "onWaiting">;

export interface LocalAdmission {
  /** `site`: the stack of the caller. Rejects with an `AdmissionError`, the signal's reason, or what `onWaiting` threw. */
  acquire(claims: readonly Claim[], asking: Asking, site: string): Promise<Lease>;
  tryAcquire(claims: readonly Claim[], asking: Pick<Asking, "signal">, site: string): Promise<Lease | Refusal>;
  /** The status of a limiter; of a keyed one that of one key, or with an empty key of all together. */
  status(limiter: string, key: string): Promise<LimiterStatus>;
}

export function createLocalAdmission(configs: readonly LimiterConfig[]): LocalAdmission {
  const clock = createLocalClock();
  const guard = createLeakGuard(warn);
  // Each limiter has its own bound on those that wait.
  const machine = { maxWaiters: Number.POSITIVE_INFINITY };
  const engine = createEmbeddedEngine({ clock, store: createMemoryStore(), machine });
  const prefix = createRandom().requestId();
  let asked = 0;
  for (const config of configs) engine.submit({ kind: "create-limiter", config }, IGNORE, IGNORE);

  /** Resolves with the lease or the refusal. */
  function ask(claims: readonly Claim[], asking: Asking, site: string): Promise<Lease | MachineRefusal> {
    const { signal, onWaiting } = asking;
    const maxWait = waitToMicros(asking.maxWait);
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      asked += 1;
      const id = `${prefix}-${asked}`;
      let isOver = false;
      let sleep = () => {};
      const stream = engine.openStream((news) => {
        if (news.kind === "granted") hold(news);
        else if (news.kind === "refused") refuse(news);
        else if (news.kind === "moved") tell(news.waiter);
      }, lose);

      /** Withdraws the request: what it holds or will hold is free at once. */
      function takeBack(reason: unknown): void {
        if (isOver) return;
        close();
        engine.submit({ kind: "leave", id, stream, how: "cancelled" }, IGNORE, IGNORE);
        reject(reason);
      }
      function onAbort(): void {
        takeBack(signal?.reason);
      }
      function close(): void {
        isOver = true;
        sleep();
        signal?.removeEventListener("abort", onAbort);
        engine.closeStream(stream);
      }
      // From here on nothing of this call is needed, and nothing of it may keep the handle from being collected.
      function hold({ lease, held }: ShownGrant): void {
        if (isOver) return;
        close();
        if (held) resolve(createLease(createLocalLease({ lease, engine, signal }), guard, site));
        else resolve(createSpentLease(grantOf(lease), "local"));
      }
      function tell({ waitersAhead, estimatedWait }: Pick<Waiting, "waitersAhead" | "estimatedWait">): void {
        if (isOver) return;
        try {
          onWaiting?.({ waitersAhead, estimatedWaitMs: estimatedWait && estimatedWait / 1000 });
        } catch (error) {
          takeBack(error);
        }
      }
      function refuse(no: MachineRefusal): void {
        if (isOver) return;
        close();
        resolve(no);
      }

      /** Rejects the request. Only an engine that has ended calls it, and this one never ends. */
      function lose(error: EngineUnavailable): void {
        if (isOver) return;
        close();
        reject(error);
      }

      signal?.addEventListener("abort", onAbort);
      const command = {
        kind: "acquire",
        id,
        claims,
        holder: "",
        maxWait,
        ttl: undefined,
        requestId: "",
        stream,
        monitored: true,
        keepOnCancel: false,
        session: undefined,
      } as const;
      const hear = (answer: AnswerTo<Acquire>) => {
        if (answer.kind === "granted") {
          hold(answer);
        } else if (answer.kind === "refused") {
          refuse(answer);
        } else if (!isOver) {
          sleep = clock.keepAwake();
          tell(answer);
        }
      };
      engine.submit(command, hear, lose);
    });
  }

  return {
    async acquire(claims, asking, site) {
      const answer = await ask(claims, asking, site);
      if (isRefusal(answer)) throw refusalToError(answer);
      return answer;
    },
    async tryAcquire(claims, asking, site) {
      const answer = await ask(claims, { signal: asking.signal, maxWait: 0 }, site);
      if (!isRefusal(answer)) return answer;
      const { reason } = answer;
      if (!isAnswer(reason) || reason === "KEY_REQUIRED" || reason === "KEY_NOT_ALLOWED") throw refusalToError(answer);
      return refusalToAnswer({ ...answer, reason });
    },
    async status(limiter, key) {
      const view = await engine.limiter(limiter, key);
      if (view === undefined) throw new RangeError(`there is no limiter ${JSON.stringify(limiter)} among these`);
      return view.status;
    },
  };
}

const IGNORE = () => {};

function warn(message: string, stack: string): void {
  if (typeof process === "object" && typeof process.emitWarning === "function") {
    process.emitWarning(message, { type: "LeaseLeakWarning", detail: `acquired\n${stack}` });
  } else {
    console.warn(`${message}\nacquired\n${stack}`);
  }
}

function isRefusal(answer: Lease | MachineRefusal): answer is MachineRefusal {
  return "reason" in answer;
}
