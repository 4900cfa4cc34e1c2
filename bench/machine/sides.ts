/** What is measured of the machine: each side does a share of its work and says what one operation cost, in ns. */

import { createIds } from "../../src/server/ids.ts";
import { tenure } from "../support/collect.ts";
import type { Side } from "../support/in-turns.ts";
import { threadTime } from "../support/thread-time.ts";
import { BOTH_LIMITS, claimOn, createSubject, ONE_PERMIT, SLOW_REFILL, type Subject } from "./subject.ts";

/** Operations of one side in one round. */
export const SHARE = 100_000;

/** Look-ups in an operation of `lookUp`. */
export const LOOK_UPS = 10;

const ids = createIds();

/** TryAcquire and Release of the same lease. */
export function tryAndRelease(subject = createSubject(BOTH_LIMITS)): Side {
  const claims = claimOn("");
  return timed((id) => {
    subject.tryAcquire(id, claims);
    subject.release(id);
  });
}

/** Acquire, granted at once, and Release of the same lease. */
export function acquireAndRelease(): Side {
  const subject = createSubject(BOTH_LIMITS);
  const claims = claimOn("");
  return timed((id) => {
    subject.acquire(id, claims, "granted");
    subject.release(id);
  });
}

/** The same while so many other leases live. */
export function amongLeases(count: number): Side {
  return tryAndRelease(holding(count).subject);
}

/** TryAcquire of a new lease and Release of the oldest of so many. */
export function turnOver(count: number): Side {
  const { subject, held } = holding(count);
  const claims = claimOn("");
  return timed((id) => {
    subject.tryAcquire(id, claims);
    subject.release(held.replaceNext(id));
  });
}

/** The holder releases, the head is granted in the same step, a newcomer joins at the end. */
export function handOn(waiters: number, { requestIds = false } = {}): Side {
  const subject = createSubject(ONE_PERMIT);
  const claims = claimOn("");
  const line = freshIds(waiters + 1);
  for (const [index, id] of line.entries()) subject.acquire(id, claims, index === 0 ? "granted" : "waiting");
  const holders = createRing(line);
  return timed((id) => {
    subject.release(holders.replaceNext(id));
    // An id is as good as another: a request id is looked for among request ids only.
    subject.acquire(id, claims, "waiting", requestIds ? id : "");
  });
}

/**
 * TryAcquire and Release on a key of a limiter with `count` keys in use: on one of them, or on any. They are kept in use by
 * a lease on each (on one key: by as many leases), or lie idle with a bucket that is not full.
 */
export function onKeys(options: {
  readonly count: number;
  readonly use: "held" | "idle";
  readonly leases: number;
  readonly which: "one" | "any";
}): Side {
  const { count, use, leases, which } = options;
  const subject = createSubject({ keyed: true, ...SLOW_REFILL });
  for (let i = 0; i < leases; i++) {
    const [id = ""] = freshIds(1);
    subject.tryAcquire(id, claimOn(nameKey(i % count)));
    if (use === "idle") subject.release(id);
  }
  let keys: string[] = [];
  return timed(
    (id, index) => {
      // As from the wire, the key is a new string and the claim a new object. It asks for no token: those would run out.
      subject.tryAcquire(id, claimOn(keys[index] as string, 0));
      subject.release(id);
    },
    () => {
      keys = keysOf(count, which);
    },
  );
}

/** What the same keys cost a bare Map of as many: the part that no machine can avoid. */
export function lookUp(count: number): Side {
  const map = new Map(Array.from({ length: count }, (_, i) => [nameKey(i), { count: 0 }]));
  let keys: string[] = [];
  return timed(
    (_, index) => {
      // One alone would be too short to be timed.
      for (let turn = 0; turn < LOOK_UPS; turn++) {
        const value = map.get(keys[(index * LOOK_UPS + turn) % SHARE] as string);
        if (value) value.count += 1;
      }
    },
    () => {
      keys = keysOf(count, "any");
    },
  );
}

/** The survey of a long queue that has moved. */
export function surveyQueue(waiters: number): Side {
  const subject = createSubject(ONE_PERMIT);
  const claims = claimOn("");
  const line = freshIds(waiters + 1);
  for (const [index, id] of line.entries()) subject.acquire(id, claims, index === 0 ? "granted" : "waiting");
  let holder = 0;
  return () => {
    subject.release(line[holder] as string);
    holder += 1;
    const begun = performance.now();
    subject.survey();
    return (performance.now() - begun) * 1e6;
  };
}

/** Times a share of operations. Their ids, and what `prepare` makes, are not the machine's and are made before. */
function timed(operate: (id: string, index: number) => void, prepare: () => void = () => {}): Side {
  return () => {
    const fresh = freshIds(SHARE);
    prepare();
    tenure();
    const begun = threadTime();
    for (let index = 0; index < SHARE; index++) operate(fresh[index] as string, index);
    return (threadTime() - begun) / SHARE;
  };
}

function holding(count: number): { readonly subject: Subject; readonly held: Ring } {
  const subject = createSubject(BOTH_LIMITS);
  const claims = claimOn("");
  const held = freshIds(count);
  for (const id of held) subject.tryAcquire(id, claims);
  return { subject, held: createRing(held) };
}

/** So many ids in their order, of which the oldest makes way for the newest. */
interface Ring {
  replaceNext(id: string): string;
}

function createRing(items: string[]): Ring {
  let next = 0;
  return {
    replaceNext(id) {
      const oldest = items[next] as string;
      items[next] = id;
      next = (next + 1) % items.length;
      return oldest;
    },
  };
}

function freshIds(count: number): string[] {
  return Array.from({ length: count }, () => ids.next());
}

function keysOf(count: number, which: "one" | "any"): string[] {
  const middle = count >> 1;
  return Array.from({ length: SHARE }, () => nameKey(which === "one" ? middle : Math.floor(Math.random() * count)));
}

function nameKey(index: number): string {
  return `tenant-${index}`;
}
