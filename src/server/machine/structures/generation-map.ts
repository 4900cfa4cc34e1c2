/**
 * What is remembered for a while after it has gone: how a lease ended, what a request id stood for.
 *
 * Kept in generations, of which the oldest is dropped whole, so that forgetting costs nothing per entry; they are small,
 * since remembering into a large map costs several times as much (it leaves the caches, and is copied as it grows).
 */

import { BloomFilter } from "./bloom-filter.ts";

export class GenerationMap<V> {
  readonly #keepFor: number;
  readonly #newEntries: (expected: number) => Entries<V>;
  readonly #maxEntries: number;
  readonly #maxGeneration: number;
  /** The oldest first; never empty. */
  readonly #generations: Generation<V>[];
  readonly #traces: BloomFilter | undefined;
  #size = 0;

  /**
   * An entry is kept for at least `keepFor` (µs), unless `maxEntries` come after it; at most twice `maxEntries` are kept.
   * `newEntries`: what a generation is kept in, with as many entries as the one before had; unset: a `Map`. `askedInVain`: that most ids which are asked for have never
   * been set, so that saying so has to be cheap.
   */
  constructor(options: {
    readonly keepFor: number;
    readonly maxEntries: number;
    readonly newEntries?: (expected: number) => Entries<V>;
    readonly askedInVain?: boolean;
  }) {
    this.#keepFor = options.keepFor;
    this.#newEntries = options.newEntries ?? (() => new Map());
    this.#traces = options.askedInVain ? new BloomFilter() : undefined;
    this.#generations = [this.#open(0, 0)];
    this.#maxEntries = options.maxEntries;
    this.#maxGeneration = Math.ceil(options.maxEntries / GENERATIONS);
  }

  get(id: string): V | undefined {
    const bits = this.#traces?.of(id) ?? ALL;
    for (let i = this.#generations.length - 1; i >= 0 && bits !== 0; i--) {
      const { bit, entries } = this.#generations[i] as Generation<V>;
      const value = (bits & bit) === 0 ? undefined : entries.get(id);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  set(id: string, value: V, now: number): void {
    let youngest = this.#generations.at(-1) as Generation<V>;
    if (youngest.entries.size >= this.#maxGeneration || now - youngest.from >= this.#keepFor / GENERATIONS) {
      this.#drop(now);
      youngest = this.#open(now, youngest.entries.size);
      this.#generations.push(youngest);
    }
    const { entries } = youngest;
    const before = entries.size;
    entries.set(id, value);
    this.#traces?.add(id, youngest.bit);
    this.#size += entries.size - before;
    youngest.until = now;
  }

  #open(now: number, expected: number): Generation<V> {
    return { entries: this.#newEntries(expected), bit: this.#traces?.open(this.#size) ?? ALL, from: now, until: now };
  }

  /** Drops what is old enough, or has enough after it. */
  #drop(now: number): void {
    for (;;) {
      const [oldest] = this.#generations;
      if (oldest === undefined) return;
      const enoughAfterIt = this.#size - oldest.entries.size >= this.#maxEntries;
      if (!enoughAfterIt && now - oldest.until <= this.#keepFor) return;
      this.#generations.shift();
      this.#traces?.close(oldest.bit);
      this.#size -= oldest.entries.size;
    }
  }
}

/** Fewer than 15 are full, at most 15 are of age, and then there are the oldest and the youngest: 32 are enough for all. */
const GENERATIONS = 15;
const ALL = -1;

/** What is remembered, by id. */
export interface Entries<V> {
  readonly size: number;
  get(id: string): V | undefined;
  set(id: string, value: V): unknown;
}

/** Entries that came in one stretch of time, in µs. */
interface Generation<V> {
  readonly entries: Entries<V>;
  /** Its own in the traces. */
  readonly bit: number;
  readonly from: number;
  until: number;
}
