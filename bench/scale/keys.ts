/** A million keys of one limiter that come and go: each is asked for once, and is forgotten when its bucket is full again. */

import { createMachine } from "../../src/server/machine/limiter/machine.ts";
import { limiterOf, rateOf } from "../../test/support/limiter-config.ts";
import { collect, tenure } from "../support/collect.ts";
import { threadTime } from "../support/thread-time.ts";

export interface Stretch {
  /** ns for a decision. */
  readonly cost: number;
  /** Bytes of heap, all told, after a collection. */
  readonly heap: number;
}

/** Keys that are there at any time: a bucket takes 10 s to be full again, and a key comes every 10 µs. */
export const LIVING = 1_000_000;
const STEP = 10;
const PER_STRETCH = 1_000_000;

/** In stretches of a million decisions; the first fills the limiter. */
export function comeAndGo(stretches: number): readonly Stretch[] {
  const machine = createMachine({ maxWaiters: 1 });
  const config = limiterOf({ keyed: true, maxKeys: 2 * LIVING, rate: rateOf(0.1, 1) });
  machine.step({ kind: "create-limiter", config }, 0);
  let now = 0;
  let asked = 0;
  return Array.from({ length: stretches }, () => {
    tenure();
    const begun = threadTime();
    for (let i = 0; i < PER_STRETCH; i += 1) {
      now += STEP;
      asked += 1;
      const claims = [{ limiter: "db", key: `tenant-${asked}`, permits: 0, tokens: 1, slots: false }];
      const id = `id-${asked}`;
      const { outcome } = machine.step(
        { kind: "try-acquire", id, claims, holder: "bench", ttl: undefined, requestId: "", session: undefined },
        now,
      );
      if (outcome.kind !== "granted") throw new Error(JSON.stringify(outcome));
    }
    const cost = (threadTime() - begun) / PER_STRETCH;
    collect();
    return { cost, heap: process.memoryUsage().heapUsed };
  });
}
