/** A machine with one limiter, `db`, for measuring: time moves on by a µs with each command, and every "no" is a bug. */

import type { Claim } from "../../src/server/machine/limiter/claim.ts";
import type { Outcome } from "../../src/server/machine/limiter/command.ts";
import type { LimiterConfig } from "../../src/server/machine/limiter/limiter.ts";
import { createMachine } from "../../src/server/machine/limiter/machine.ts";
import { takeMoved } from "../../src/server/machine/limiter/read.ts";
import { limiterOf, rateOf } from "../../test/support/limiter-config.ts";

const PLENTY = 1_000_000;

/** Both limits, and neither ever in the way: a µs brings a token, and a lease takes two commands. */
export const BOTH_LIMITS = { rate: rateOf(1_000_000, PLENTY), maxConcurrent: PLENTY };
/** A bucket that is not full again for long once a token was spent: its key is not forgotten meanwhile. */
export const SLOW_REFILL = { rate: rateOf(0.001, PLENTY), maxConcurrent: PLENTY };
/** The second to come waits. */
export const ONE_PERMIT = { maxConcurrent: 1 };

export interface Subject {
  /** A lease without a stream. */
  tryAcquire(id: string, claims: readonly Claim[]): void;
  /** A lease or a place in the queue, with a stream. `requestId`: that it can be asked for again; unset: it cannot. */
  acquire(id: string, claims: readonly Claim[], expected: "granted" | "waiting", requestId?: string): void;
  release(leaseId: string): void;
  /** What the engine does up to four times a second while queues move. */
  survey(): void;
}

export function createSubject(about: Partial<LimiterConfig>): Subject {
  const machine = createMachine({ maxWaiters: PLENTY });
  const config = limiterOf({ maxWaiters: PLENTY, maxKeys: PLENTY, ...about });
  let now = 0;
  let stream = 0;
  machine.step({ kind: "create-limiter", config }, now);
  return {
    tryAcquire(id, claims) {
      now += 1;
      const command = {
        kind: "try-acquire",
        id,
        claims,
        holder: "bench",
        ttl: undefined,
        requestId: "",
        session: undefined,
      } as const;
      expectKind(machine.step(command, now).outcome, "granted");
    },
    acquire(id, claims, expected, requestId = "") {
      now += 1;
      stream += 1;
      const { outcome } = machine.step(
        {
          kind: "acquire",
          id,
          claims,
          holder: "bench",
          maxWait: undefined,
          ttl: undefined,
          requestId,
          stream,
          monitored: true,
          keepOnCancel: false,
          session: undefined,
        },
        now,
      );
      expectKind(outcome, expected);
    },
    release(leaseId) {
      now += 1;
      expectKind(
        machine.step({ kind: "release", leaseId, workOutcome: "success", session: undefined }, now).outcome,
        "ended",
      );
    },
    survey() {
      takeMoved(machine.state);
    },
  };
}

export function claimOn(key: string, tokens = 1): readonly Claim[] {
  return [{ limiter: "db", key, permits: 1, tokens, slots: false }];
}

function expectKind(outcome: Outcome, kind: Outcome["kind"]): void {
  if (outcome.kind !== kind) throw new Error(`${kind} was expected, and it was ${JSON.stringify(outcome)}`);
}
