/** What is measured of a flow, from the machine's own instants. */

const SECOND = 1e6;

/** How far a rate looks back: so many whole steps, of so many µs each, and the one begun. */
export interface Window {
  readonly step: number;
  readonly steps: number;
}

const TEN_SECONDS: Window = { step: SECOND, steps: 10 };

/** Counts events and tells their rate over a window that moves: unless said otherwise, the last ten seconds. */
export class Meter {
  total = 0;
  readonly #window: Window;
  readonly #startedAt: number;
  /**
   * A count for each step of the window and the one begun, by the step's number. Not a typed array: of more than 64 bytes that
   * has its memory outside the heap, and thousands of limiters then keep a full collection busy.
   */
  readonly #counts: number[];
  #step: number;
  /** Where that step stands in the ring, and µs: when it ends. */
  #index: number;
  #stepEnd: number;

  constructor(now: number, window: Window = TEN_SECONDS) {
    this.#window = window;
    this.#startedAt = now;
    this.#counts = zeros(window.steps + 1);
    this.#step = Math.floor(now / window.step);
    this.#index = this.#step % this.#counts.length;
    this.#stepEnd = (this.#step + 1) * window.step;
  }

  count(now: number): void {
    this.#turn(now);
    this.total += 1;
    this.#counts[this.#index] = (this.#counts[this.#index] as number) + 1;
  }

  /** Events a second: over the window, or since the start; over one step at least. */
  rate(now: number): number {
    this.#turn(now);
    const { step, steps } = this.#window;
    let sum = 0;
    for (const count of this.#counts) sum += count;
    const lookBack = steps * step + (now % step);
    return (sum * SECOND) / Math.max(step, Math.min(lookBack, now - this.#startedAt));
  }

  /** Whether its rate is 0, and stays so until the next event. */
  hasFaded(now: number): boolean {
    this.#turn(now);
    return this.#counts.every((count) => count === 0);
  }

  #turn(now: number): void {
    // Most events fall into the step of the one before, which takes no division to know.
    if (now < this.#stepEnd) return;
    const step = Math.floor(now / this.#window.step);
    const ring = this.#counts.length;
    const passed = Math.min(step - this.#step, ring);
    for (let i = 0; i < passed; i++) this.#counts[(step - i) % ring] = 0;
    this.#step = step;
    this.#index = step % ring;
    this.#stepEnd = (step + 1) * this.#window.step;
  }
}

/** µs. */
const MINUTE = 60 * SECOND;
/** Each bucket is a tenth wider than the one before. */
const GROWTH = Math.log(1.1);
/** Up to 1.1^326 µs, a year. */
const BUCKETS = 327;

interface Period {
  count: number;
  sum: number;
  /** How many in each bucket from `first` to the last that has any: the durations of one limiter are much alike. */
  first: number;
  buckets: number[];
}

/**
 * Mean and percentiles of durations over the last one to two periods (minutes, unless said otherwise), in fixed space. A
 * percentile is at most a tenth too long, and never too short, for durations up to a year.
 */
export class Durations {
  #current = createPeriod();
  #previous = createPeriod();
  readonly #period: number;
  #startedAt: number;

  /** `period` in µs. */
  constructor(now: number, { period }: { readonly period: number } = { period: MINUTE }) {
    this.#period = period;
    this.#startedAt = now;
  }

  /** How many were recorded. */
  count(now: number): number {
    this.#turn(now);
    return this.#current.count + this.#previous.count;
  }

  record(micros: number, now: number): void {
    this.#turn(now);
    const bucket = micros < 1 ? 0 : Math.min(BUCKETS - 1, 1 + Math.floor(Math.log(micros) / GROWTH));
    const period = this.#current;
    period.count += 1;
    period.sum += micros;
    countIn(period, bucket);
  }

  /** µs; undefined while nothing was recorded. */
  mean(now: number): number | undefined {
    this.#turn(now);
    const count = this.#current.count + this.#previous.count;
    return count === 0 ? undefined : (this.#current.sum + this.#previous.sum) / count;
  }

  /** µs that a share (above 0, to 1) of the durations did not exceed; undefined while nothing was recorded. */
  percentile(share: number, now: number): number | undefined {
    this.#turn(now);
    let left = Math.ceil((this.#current.count + this.#previous.count) * share);
    if (left === 0) return undefined;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= countOf(this.#current, bucket) + countOf(this.#previous, bucket);
      if (left <= 0) return bucket === 0 ? 0 : Math.exp(bucket * GROWTH);
    }
    return undefined;
  }

  #turn(now: number): void {
    if (now - this.#startedAt < this.#period) return;
    const periods = Math.floor((now - this.#startedAt) / this.#period);
    this.#previous = periods === 1 ? this.#current : createPeriod();
    this.#current = createPeriod();
    // Not from now on: a period begun late would remember longer than two periods.
    this.#startedAt += periods * this.#period;
  }
}

function createPeriod(): Period {
  return { count: 0, sum: 0, first: 0, buckets: [] };
}

function countIn(period: Period, bucket: number): void {
  const { buckets } = period;
  if (buckets.length === 0) period.first = bucket;
  if (bucket < period.first) {
    buckets.unshift(...zeros(period.first - bucket));
    period.first = bucket;
  }
  const index = bucket - period.first;
  while (buckets.length <= index) buckets.push(0);
  buckets[index] = (buckets[index] as number) + 1;
}

function countOf({ first, buckets }: Period, bucket: number): number {
  return buckets[bucket - first] ?? 0;
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}
