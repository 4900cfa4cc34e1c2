/** Time: the only file that reads a clock or sets a timer. */

export interface Clock {
  /** µs, monotonic, whole. Means nothing outside this process. */
  now(): number;
  /** ms since 1970 by the wall clock, for a monotonic instant. For people only. */
  wallTime(micros: number): number;
  /**
   * Calls back once, at `at` (µs) or a little later, never before and never from inside this call; returns what calls it
   * off. `precise`: not a millisecond or two later, whatever it costs.
   */
  schedule(at: number, precise: boolean, callback: () => void): () => void;
}

/** µs: `setTimeout` counts in whole milliseconds and may be one late; what is due sooner and precise is polled for. */
const POLL_BELOW = 2_000;
/** ms; `setTimeout` takes a longer wait for 1. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** µs, monotonic, whole: what all threads of this process read alike, unlike `Clock.now`. */
export function nowOfAllThreads(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000_000 + Math.floor(nanos / 1_000);
}

export function createSystemClock(): Clock {
  const now = () => Math.floor(performance.now() * 1000);
  const schedule = (at: number, precise: boolean, callback: () => void): (() => void) => {
    let timer: NodeJS.Timeout | undefined;
    let immediate: NodeJS.Immediate | undefined;
    const wait = (left: number) => {
      if (!precise) timer = setTimeout(look, Math.min(LONGEST_TIMEOUT, Math.ceil(left / 1000)));
      else if (left < POLL_BELOW) immediate = setImmediate(look);
      else timer = setTimeout(look, Math.min(LONGEST_TIMEOUT, Math.floor(left / 1000) - 1));
    };
    const look = () => {
      const left = at - now();
      if (left <= 0) callback();
      else wait(left);
    };
    // One look at the clock decides: what is not due at this one may be at the next.
    const left = at - now();
    if (left <= 0) immediate = setImmediate(callback);
    else wait(left);
    return () => {
      clearTimeout(timer);
      if (immediate) clearImmediate(immediate);
    };
  };
  return { now, wallTime: createWallTime(now), schedule };
}

/** ms by which the wall clock may drift from the monotonic one before it counts as set anew. */
const DRIFT = 100;
/** µs between two looks at the wall clock: a look costs more than all else that is done with a wall time. */
const LOOK_AGAIN = 100_000;

/** The same instant always has the same wall time, to the µs, unless the wall clock was set. */
function createWallTime(now: () => number): (micros: number) => number {
  let origin = performance.timeOrigin;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return (micros) => {
    // An instant soon after the last look is most often that of a grant, which is now.
    const isFresh = micros >= lookedAt && micros - lookedAt < LOOK_AGAIN;
    const looking = isFresh ? lookedAt : now();
    if (looking - lookedAt >= LOOK_AGAIN) {
      lookedAt = looking;
      const drift = Date.now() - (origin + looking / 1000);
      if (Math.abs(drift) > DRIFT) origin += drift;
    }
    return origin + micros / 1000;
  };
}
