/** Counts of durations in buckets that never change, for what adds up over time and over threads. */

/** Upper bounds of buckets, µs, ascending; a duration of exactly a bound belongs to its bucket. */
export type Bounds = readonly number[];

/** What a histogram has counted. */
export interface HistogramCounts {
  readonly bounds: Bounds;
  /** Of each bucket alone; one more than there are bounds. */
  readonly counts: readonly number[];
  /** µs. */
  readonly sum: number;
}

export class Histogram implements HistogramCounts {
  readonly bounds: Bounds;
  /** Not a typed array: see `Meter`. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: Bounds) {
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
    this.counts.push(0);
  }

  record(micros: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && micros > (bounds[bucket] as number)) bucket += 1;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += micros;
  }

  /** What another of the same bounds has counted is counted here, too. */
  add({ counts, sum }: HistogramCounts): void {
    for (let bucket = 0; bucket < counts.length; bucket++) {
      this.counts[bucket] = (this.counts[bucket] as number) + (counts[bucket] as number);
    }
    this.sum += sum;
  }

  /** Returns a copy, which does not go on counting. */
  copy(): HistogramCounts {
    return { bounds: this.bounds, counts: this.counts.slice(), sum: this.sum };
  }
}

/** Bounds that are written in seconds. */
export function boundsInSeconds(...seconds: readonly number[]): Bounds {
  return seconds.map((second) => Math.round(second * 1e6));
}
