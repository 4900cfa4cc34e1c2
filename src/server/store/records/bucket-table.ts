/**
 * Records of buckets that a start has found, in columns: a data folder may have a million of them, and as objects they would
 * take three times as much room until the machine has taken them up.
 */

import type { BucketRecord } from "../../machine/limiter/record.ts";
import { type Bucket, microsUntilFull } from "../../machine/limiter/token-bucket.ts";

/** Numbers of a record. */
const COLUMNS = 3;
const UNKNOWN = Number.NaN;

export class BucketTable {
  readonly #limiters: string[] = [];
  readonly #keys: string[] = [];
  readonly #rates: BucketRecord["rate"][] = [];
  #numbers = new Float64Array(COLUMNS * 1_024);
  /** Names and rates are few: each is kept once. */
  readonly #knownLimiters = new Map<string, string>();
  readonly #knownRates = new Map<string, BucketRecord["rate"]>();
  readonly #fullAt = new Map<BucketRecord["rate"], number>();
  #latest = 0;

  /** The latest instant of any record, in running time; 0 if none has one. */
  get latest(): number {
    return this.#latest;
  }

  /** For each rate, when the last of its buckets is full, in running time; buckets without an instant are left out. */
  get fullAt(): ReadonlyMap<BucketRecord["rate"], number> {
    return this.#fullAt;
  }

  add({ limiter, key, tokens, parts, rate, at }: BucketRecord): void {
    const index = COLUMNS * this.#keys.length;
    if (index === this.#numbers.length) {
      const grown = new Float64Array(2 * index);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#limiters.push(known(this.#knownLimiters, limiter, limiter));
    this.#keys.push(key);
    const ownRate = known(this.#knownRates, rate.join(), rate);
    this.#rates.push(ownRate);
    if (at !== undefined) this.#noteFull(ownRate, { tokens, parts, at });
    this.#numbers[index] = tokens;
    this.#numbers[index + 1] = parts;
    this.#numbers[index + 2] = at ?? UNKNOWN;
    if (at !== undefined && at > this.#latest) this.#latest = at;
  }

  #noteFull(rate: BucketRecord["rate"], bucket: Bucket): void {
    const [gain, unit, capacity] = rate;
    if (gain === 0) return;
    const fullAt = bucket.at + microsUntilFull(bucket, { gain, unit, capacity });
    if (fullAt > (this.#fullAt.get(rate) ?? Number.NEGATIVE_INFINITY)) this.#fullAt.set(rate, fullAt);
  }

  /** The records, their instants counted from `zero`, which is one of running time. */
  records(zero: number): Iterable<BucketRecord> {
    return { [Symbol.iterator]: () => this.#records(zero) };
  }

  *#records(zero: number): Generator<BucketRecord> {
    for (let i = 0; i < this.#keys.length; i++) {
      const at = this.#numbers[COLUMNS * i + 2] as number;
      yield {
        limiter: this.#limiters[i] as string,
        key: this.#keys[i] as string,
        tokens: this.#numbers[COLUMNS * i] as number,
        parts: this.#numbers[COLUMNS * i + 1] as number,
        rate: this.#rates[i] as BucketRecord["rate"],
        at: Number.isNaN(at) ? undefined : at - zero,
      };
    }
  }
}

function known<T>(all: Map<string, T>, name: string, value: T): T {
  const before = all.get(name);
  if (before === undefined) all.set(name, value);
  return before ?? value;
}
