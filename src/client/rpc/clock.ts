/** Time: the only file of the client that reads a clock or sets a timer. */

/** An instant on both clocks, in ms; neither is trusted alone. */
export interface Moment {
  /** Never set, but may stand still while the machine sleeps. Means nothing outside this process. */
  readonly monotonic: number;
  /** Goes on while the machine sleeps, but may be set. Since 1970. */
  readonly wall: number;
}

export interface Clock {
  now(): Moment;
  /** Calls back once, after `delay` ms or soon after; keeps the process alive until then. Returns what calls it off. */
  schedule(delay: number, callback: () => void): () => void;
  /** The same, and lets the process end before. */
  scheduleInBackground(delay: number, callback: () => void): () => void;
}

/** ms between two moments by whichever clock saw more of them pass, so that neither a sleep nor a set clock hides any. */
export function elapsed(since: Moment, until: Moment): number {
  return Math.max(until.monotonic - since.monotonic, until.wall - since.wall);
}

/** ms; timers take a longer wait for 1. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export function createSystemClock(): Clock {
  const schedule = (delay: number, callback: () => void, background: boolean): (() => void) => {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (left: number) => {
      const step = Math.min(left, LONGEST_TIMEOUT);
      timer = setTimeout(() => (left > step ? arm(left - step) : callback()), Math.ceil(step));
      // A browser's timers are numbers.
      if (background && typeof timer === "object") timer.unref();
    };
    arm(Math.max(0, delay));
    return () => clearTimeout(timer);
  };
  return {
    now: () => ({ monotonic: performance.now(), wall: Date.now() }),
    schedule: (delay, callback) => schedule(delay, callback, false),
    scheduleInBackground: (delay, callback) => schedule(delay, callback, true),
  };
}
