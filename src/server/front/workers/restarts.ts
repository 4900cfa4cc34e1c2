/** Whether a thread that has failed is started anew, and when. */

export interface Restarts {
  /** One has failed at this instant. Returns the µs after which another is started; undefined: too many have failed. */
  failed(now: number): number | undefined;
}

/** µs: of the first, and at most. */
const SHORTEST_PAUSE = 100_000;
const LONGEST_PAUSE = 5_000_000;
/** Failures within so many µs that are borne: what fails so often will not mend by itself. */
const MOST_FAILURES = 5;
const WINDOW = 60_000_000;

export function createRestarts(): Restarts {
  let failures: number[] = [];
  return {
    failed(now) {
      failures = [...failures.filter((at) => at > now - WINDOW), now];
      if (failures.length > MOST_FAILURES) return undefined;
      return Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (failures.length - 1));
    },
  };
}
