/** What is measured of a flow, from the machine's own instants. */

const SECOND = 1e6;
/** Seconds that a rate looks back. */
const WINDOW = 10;
const RING = WINDOW + 1;

/** Counts events and tells their rate over the last ten seconds. */
export class Meter {
  total = 0;
  readonly #startedAt: number;
  readonly #counts = new Float64Array(RING);
  #second: number;

  constructor(now: number) {
    this.#startedAt = now;
    this.#second = Math.floor(now / SECOND);
  }

  count(now: number): void {
    this.#turn(now);
    this.total += 1;
    const index = this.#second % RING;
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** Events a second: over ten whole seconds and the one begun, or since the start; over one second at least. */
  rate(now: number): number {
    this.#turn(now);
    const sum = this.#counts.reduce((a, b) => a + b, 0);
    const lookBack = WINDOW * SECOND + (now % SECOND);
    return (sum * SECOND) / Math.max(SECOND, Math.min(lookBack, now - this.#startedAt));
  }

  #turn(now: number): void {
    const second = Math.floor(now / SECOND);
    if (second === this.#second) return;
    const passed = Math.min(second - this.#second, RING);
    for (let i = 0; i < passed; i++) this.#counts[(second - i) % RING] = 0;
    this.#second = second;
  }
}

/** µs: durations are looked at over the last one to two of these. */
const PERIOD = 60 * SECOND;
/** Each bucket is a tenth wider than the one before. */
const GROWTH = Math.log(1.1);
/** Up to 1.1^270 µs, 41 hours. */
const BUCKETS = 271;

interface Period {
  count: number;
  sum: number;
  /** How many in each bucket; made for the first, since of many limiters most are idle. */
  buckets: Uint32Array | undefined;
}

/**
 * Mean and percentiles of durations over the last one to two minutes, in fixed space. A percentile is at most a tenth
 * too long, and never too short, for durations up to 41 hours.
 */
export class Durations {
  #current = createPeriod();
  #previous = createPeriod();
  #startedAt: number;

  constructor(now: number) {
    this.#startedAt = now;
  }

  record(micros: number, now: number): void {
    this.#turn(now);
    const bucket = micros < 1 ? 0 : Math.min(BUCKETS - 1, 1 + Math.floor(Math.log(micros) / GROWTH));
    const period = this.#current;
    period.count += 1;
    period.sum += micros;
    period.buckets ??= new Uint32Array(BUCKETS);
    period.buckets[bucket] = (period.buckets[bucket] as number) + 1;
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
      left -= (this.#current.buckets?.[bucket] ?? 0) + (this.#previous.buckets?.[bucket] ?? 0);
      if (left <= 0) return bucket === 0 ? 0 : Math.exp(bucket * GROWTH);
    }
    return undefined;
  }

  #turn(now: number): void {
    const periods = Math.floor((now - this.#startedAt) / PERIOD);
    if (periods === 0) return;
    this.#previous = periods === 1 ? this.#current : createPeriod();
    this.#current = createPeriod();
    // Not from now on: a period begun late would remember longer than two minutes.
    this.#startedAt += periods * PERIOD;
  }
}

function createPeriod(): Period {
  return { count: 0, sum: 0, buckets: undefined };
}
