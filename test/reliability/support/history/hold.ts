/** A lease in the hands of its holder, which knows how long it is surely valid, and counts itself in and out. */

import { setTimeout as sleep } from "node:timers/promises";
import { LeaseEnd } from "../../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import type { CounterClient } from "./counter.ts";
import { micros } from "./history.ts";
import { INSTANCES } from "./limiters.ts";
import { holdsNothing } from "./session.ts";
import type { Heard, Way } from "./way.ts";

export interface HoldPorts {
  /** One of those that may speak for any lease. */
  readonly way: () => Way;
  readonly counter: CounterClient;
  readonly dice: Dice;
  readonly onCall: () => void;
  readonly surprise: (what: string) => void;
}

export type Liveness =
  /** Its stream is open: it does not run out. */
  | { readonly kind: "attached" }
  /** `since` (µs): when that was sent which has last shown that its holder lives; `ttl` in ms. */
  | { readonly kind: "detached"; readonly since: number; readonly ttl: number };

export interface Hold {
  /** For a while, and renews it now and then. */
  work(): Promise<void>;
  /** Counts it out. Resolves with the time until which it was surely held: what gives it back is sent later. */
  stop(): Promise<number>;
  /** Goes away without a word. Returns the time until which it is surely held. */
  abandon(): number;
  /** Now and then twice. */
  release(): Promise<void>;
}

/** µs by which the server, which counts whole ones, may end a lease sooner than we do. */
const ROUNDING = 10;

/** Undefined: nothing is held, as with a limiter that has a rate limit alone. */
export function holdLease(heard: Heard, liveness: Liveness, ports: HoldPorts): Hold | undefined {
  const { counter, dice, onCall, surprise } = ports;
  const { at, granted, by } = heard;
  const { lease, secret } = granted;
  if (lease === undefined || holdsNothing(heard)) return undefined;
  const way = () => by ?? ports.way();
  const credential = { leaseId: lease.id, secret };
  let validUntil = endOf(liveness);
  const counted = lease.claims
    .filter(({ permits }) => permits > 0)
    .map(({ limiter, key, permits }) =>
      counter.enter({ instance: instanceOf(limiter, key), permits, until: validUntil }),
    );

  async function renewOnce(): Promise<void> {
    onCall();
    const sent = await way().renew(credential);
    if (sent === undefined) {
      if (micros() < validUntil) surprise(`${lease?.id} could not be renewed while it was valid`);
    } else if (liveness.kind === "detached") {
      validUntil = endOf({ ...liveness, since: sent });
    }
  }

  return {
    async work() {
      if (dice.chance(10)) await sleep(dice.roll(3));
      while (dice.chance(40)) await renewOnce();
    },
    async stop() {
      await Promise.all(counted.map((number) => counter.leave(number)));
      return Math.max(at, Math.min(micros(), validUntil));
    },
    abandon: () => Math.max(at, validUntil),
    async release() {
      onCall();
      const first = await way().release(credential);
      const mayHaveExpired = micros() >= validUntil && first?.end === LeaseEnd.EXPIRED;
      const isReleased = first?.end === LeaseEnd.RELEASED && !first.alreadyEnded;
      if (!isReleased && !mayHaveExpired) surprise(`${lease.id} was released with ${JSON.stringify(first)}`);
      if (!dice.chance(10)) return;
      onCall();
      const second = await way().release(credential);
      if (second?.alreadyEnded && second.end === first?.end) return;
      surprise(`${lease.id} was released once more with ${JSON.stringify(second)}`);
    },
  };
}

function endOf(liveness: Liveness): number {
  return liveness.kind === "attached" ? Number.MAX_VALUE : liveness.since + liveness.ttl * 1000 - ROUNDING;
}

function instanceOf(limiter: string, key: string): number {
  return INSTANCES.findIndex((instance) => instance.limiter.name === limiter && instance.key === key);
}
