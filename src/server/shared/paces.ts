/**
 * Token buckets in memory that all threads share. Each is one number, so that threads change it without a lock: the time at which it will
 * be full again (the generic cell rate algorithm). The buckets of limiters are three numbers (`machine/limiter/token-bucket.ts`), which
 * one thread alone may change.
 */

/** How often something may be done. */
export interface Pace {
  /** ns that each time takes. */
  readonly interval: bigint;
  /** ns' worth of times that may be done at once. */
  readonly depth: bigint;
}

const SECOND = 1_000_000_000;
const MICRO = 1_000n;

/** `rate`: times a second; `burst`: at once. */
export function paceOf(rate: number, burst: number): Pace {
  const interval = BigInt(Math.ceil(SECOND / rate));
  return { interval, depth: interval * BigInt(burst) };
}

/** Takes one if there is one. Returns the µs until there is; 0: it is taken. `now`: µs. */
export function takeOne(times: BigInt64Array, slot: number, { interval, depth }: Pace, now: number): number {
  const at = BigInt(now) * MICRO;
  for (;;) {
    const before = Atomics.load(times, slot);
    const next = (before > at ? before : at) + interval;
    if (next - at > depth) return microsOf(next - at - depth);
    if (Atomics.compareExchange(times, slot, before, next) === before) return 0;
  }
}

/** Takes one whether there is one or not. */
export function takeAnyway(times: BigInt64Array, slot: number, { interval, depth }: Pace, now: number): void {
  const at = BigInt(now) * MICRO;
  for (;;) {
    const before = Atomics.load(times, slot);
    const next = (before > at ? before : at) + interval;
    const bounded = next - at > depth ? at + depth : next;
    if (Atomics.compareExchange(times, slot, before, bounded) === before) return;
  }
}

/** Whether there is one. */
export function hasOne(times: BigInt64Array, slot: number, { interval, depth }: Pace, now: number): boolean {
  return Atomics.load(times, slot) - BigInt(now) * MICRO + interval <= depth;
}

/** Whether the bucket is full, and as good as a new one. */
export function isFull(times: BigInt64Array, slot: number, now: number): boolean {
  return Atomics.load(times, slot) <= BigInt(now) * MICRO;
}

function microsOf(nanos: bigint): number {
  return Number((nanos + MICRO - 1n) / MICRO);
}
