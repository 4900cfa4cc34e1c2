/** How many cards each stage had, over time, in a bounded number of samples: the cumulative flow of a board. */

const MINUTE = 60_000_000;

/** A sample each `every` µs, of which the latest `keep` stay. */
const LEVELS = [
  { every: MINUTE, keep: 120 },
  { every: 10 * MINUTE, keep: 144 },
  { every: 60 * MINUTE, keep: 2_160 },
] as const;

export interface Sample {
  readonly at: number;
  /** Cards in each stage, in the order of the stages; the last counts all that were ever completed. */
  readonly counts: readonly number[];
}

export class FlowHistory {
  readonly #levels = LEVELS.map(({ every, keep }) => ({ every, keep, nextAt: 0, samples: [] as Sample[] }));

  constructor(now: number) {
    for (const level of this.#levels) level.nextAt = now;
  }

  /** Notes the counts that have stood since the last call, for each instant that has passed since then. */
  record(now: number, counts: () => readonly number[]): void {
    for (const level of this.#levels) {
      if (now < level.nextAt) continue;
      const missed = Math.floor((now - level.nextAt) / level.every);
      const noted = Math.min(missed, level.keep - 1);
      for (let back = noted; back >= 0; back--) {
        level.samples.push({ at: level.nextAt + (missed - back) * level.every, counts: counts() });
      }
      level.samples.splice(0, level.samples.length - level.keep);
      level.nextAt += (missed + 1) * level.every;
    }
  }

  /** The samples from `from` on, in the finest grain that is kept of each time. */
  since(from: number): Sample[] {
    const samples: Sample[] = [];
    let until = Number.POSITIVE_INFINITY;
    for (const level of this.#levels) {
      const older = level.samples.filter(({ at }) => at >= from && at < until);
      samples.unshift(...older);
      until = Math.min(until, level.samples[0]?.at ?? until);
    }
    return samples;
  }

  /** After a change of the stages: `from[i]` is where the new stage i stood before, -1 if it is new. */
  rearrange(from: readonly number[]): void {
    for (const level of this.#levels) {
      level.samples = level.samples.map(({ at, counts }) => ({ at, counts: from.map((index) => counts[index] ?? 0) }));
    }
  }
}
