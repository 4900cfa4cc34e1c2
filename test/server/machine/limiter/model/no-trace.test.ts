/** A request that is refused, or cancelled before its grant, leaves the machine as it was, but for what is measured. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Claim } from "../../../../../src/server/machine/limiter/claim.ts";
import { refill } from "../../../../../src/server/machine/limiter/token-bucket.ts";
import { expiresAt } from "../../../../../src/server/machine/liveness.ts";
import { rateOf } from "../../../../support/limiter-config.ts";
import { claimOn, MILLISECOND, SECOND } from "../../builders.ts";
import { createScene, type Scene } from "../scene.ts";

const RUNS = 400;
const PLACES = ["rate", "permits", "both", "keyed x", "keyed y", "keyed z", "paused", "nothing", "permits x", "keyed"];

const claims = fc
  .uniqueArray(
    fc.record({ place: fc.constantFrom(...PLACES), permits: fc.integer({ min: 1, max: 4 }), tokens: fc.nat(4) }),
    { minLength: 1, maxLength: 3, selector: ({ place }) => place },
  )
  .map((wanted) =>
    wanted.map(({ place, permits, tokens }): Claim => {
      const [limiter = "", key = ""] = place.split(" ");
      return claimOn(limiter, { key, permits, tokens, slots: tokens === 1 });
    }),
  );

const KINDS = ["ask", "ask", "ask", "release", "lose", "lose", "return", "pass", "limit", "pause"] as const;
const past = fc.array(fc.record({ kind: fc.constantFrom(...KINDS), claims, which: fc.nat() }), {
  maxLength: 40,
  size: "max",
});

describe("no trace", () => {
  it.each([
    ["a TryAcquire", (scene: Scene, wanted: readonly Claim[]) => void scene.tryAcquire(wanted)],
    [
      "an Acquire that will not wait",
      (scene: Scene, wanted: readonly Claim[]) => void scene.acquire(wanted, { maxWait: 0 }),
    ],
    [
      "an Acquire that is cancelled",
      (scene: Scene, wanted: readonly Claim[]) => scene.leave(scene.acquire(wanted), "cancelled"),
    ],
    [
      "an Acquire that is lost for good",
      (scene: Scene, wanted: readonly Claim[]) => scene.leave(scene.acquire(wanted), "lost"),
    ],
    [
      "an Acquire that an operator cancels",
      (scene: Scene, wanted: readonly Claim[]) => {
        const { id } = scene.acquire(wanted);
        scene.step({ kind: "cancel-waiter", waiterId: id });
      },
    ],
    [
      "a request id that stands for something else",
      (scene: Scene, wanted: readonly Claim[]) => {
        const reused = [...scene.state.requests.keys()].at(-1);
        if (reused !== undefined) scene.tryAcquire([...wanted, claimOn("other")], { requestId: reused });
      },
    ],
  ])("is left by %s, if it was not granted", (_, ask) => {
    let refused = 0;
    fc.assert(
      fc.property(past, claims, (acts, wanted) => {
        const scene = createScene();
        play(scene, acts);
        scene.pass(0);
        const before = observable(scene);
        const granted = scene.admissions.length;
        ask(scene, wanted);
        if (scene.admissions.length > granted) return;
        refused += 1;
        expect(observable(scene)).toEqual(before);
      }),
      { numRuns: RUNS },
    );
    expect(refused).toBeGreaterThan(RUNS / 4);
  });
});

interface Act {
  readonly kind: (typeof KINDS)[number];
  readonly claims: readonly Claim[];
  readonly which: number;
}

function play(scene: Scene, acts: readonly Act[]): void {
  scene.create({ name: "rate", rate: rateOf(10, 3) });
  scene.create({ name: "permits", maxConcurrent: 3, ttl: SECOND });
  scene.create({ name: "both", rate: rateOf(1_000, 2), maxConcurrent: 2 });
  scene.create({ name: "keyed", keyed: true, maxKeys: 2, rate: rateOf(1, 3), maxConcurrent: 3, maxWaiters: 3 });
  scene.create({ name: "paused", maxConcurrent: 1, paused: true });
  for (const [serial, { kind, claims: wanted, which }] of acts.entries()) {
    const pick = <T>(from: Iterable<T>): T | undefined => {
      const all = [...from];
      return all[which % all.length];
    };
    const waiters = [...scene.state.waiters.values()];
    switch (kind) {
      case "ask":
        scene.acquire(wanted, { requestId: `request-${serial}` });
        break;
      case "release":
        scene.release(pick(scene.state.leases.keys()) ?? "unknown");
        break;
      case "lose": {
        const present = pick(waiters.filter(({ stream }) => stream !== undefined));
        if (present !== undefined) scene.leave({ id: present.id, stream: present.stream as number }, "lost");
        break;
      }
      case "return": {
        const away = pick(waiters.filter(({ stream }) => stream === undefined));
        if (away !== undefined) scene.acquire(away.claims, { ...away, session: undefined });
        break;
      }
      case "pass":
        scene.pass(which % (100 * MILLISECOND));
        break;
      case "limit":
        scene.update({ name: "both", maxConcurrent: 1 + (which % 4), rate: rateOf(1_000, 1 + (which % 3)) });
        break;
      case "pause":
        scene.update({ name: pick(["rate", "permits", "keyed"]) ?? "", paused: which % 2 === 0 });
        break;
    }
  }
}

/** All that can be seen of the machine, now or by what it does later; a key that is as good as new is none. */
function observable(scene: Scene) {
  const { state, now } = scene;
  const keys = [...state.limiters.values()].flatMap((limiter) =>
    [...limiter.instances.values()].flatMap((instance) => {
      const { rate } = limiter.config;
      const bucket = { ...instance.bucket };
      if (rate) refill(bucket, rate, now);
      const queue = Array.from(instance.queue.all(), ({ waiter, present }) => [waiter.id, present]);
      const asNew = instance.permitsInUse === 0 && queue.length === 0 && bucket.tokens === (rate?.capacity ?? 0);
      if (asNew) return [];
      const { permitsInUse, queuedPermits, queuedTokens, key } = instance;
      return [
        [limiter.config.name, key, bucket.tokens, bucket.parts, permitsInUse, queue, queuedPermits, queuedTokens],
      ];
    }),
  );
  const limiters = Array.from(state.limiters.values(), (limiter) => {
    const { config, revision, leases, orphanedLeases, permitsInUse, waiters, fencingToken } = limiter;
    return [config, revision, leases, orphanedLeases, permitsInUse, waiters, fencingToken];
  });
  const due = Array.from(state.deadlines.items())
    .filter(({ kind }) => kind !== "limiter")
    .map(({ kind, dueAt }) => `${kind} ${dueAt}`)
    .sort();
  return {
    // A key that has been made and is idle again may stand elsewhere in the order.
    keys: keys.map((each) => JSON.stringify(each)).sort(),
    limiters,
    leases: Array.from(state.leases.values(), (lease) => [lease.id, lease.attachment, expiresAt(lease)]),
    waiters: Array.from(state.waiters.values(), ({ id, stream, deadline }) => [id, stream, deadline]),
    requests: [...state.requests.keys()],
    due,
  };
}
