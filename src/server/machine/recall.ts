/**
 * What is remembered for a while after it has gone: how a lease ended, what a request id stood for.
 *
 * Kept in generations, of which the oldest is dropped whole, so that forgetting costs nothing per entry; they are small,
 * since remembering into a large map costs several times as much (it leaves the caches, and is copied as it grows).
 */
export class Recall<V> {
  readonly #keepFor: number;
  readonly #newEntries: () => Entries<V>;
  readonly #maxEntries: number;
  readonly #maxGeneration: number;
  /** The oldest first; never empty. */
  readonly #generations: Generation<V>[];
  #size = 0;

  /**
   * An entry is kept for at least `keepFor` (µs), unless `maxEntries` come after it; at most twice `maxEntries` are kept.
   * `newEntries`: what a generation is kept in. Unset: a `Map`.
   */
  constructor(options: { readonly keepFor: number; readonly maxEntries: number; newEntries?: () => Entries<V> }) {
    this.#keepFor = options.keepFor;
    this.#newEntries = options.newEntries ?? (() => new Map());
    this.#generations = [{ entries: this.#newEntries(), from: 0, until: 0 }];
    this.#maxEntries = options.maxEntries;
    this.#maxGeneration = Math.max(1, Math.floor(options.maxEntries / GENERATIONS));
  }

  get(id: string): V | undefined {
    for (let i = this.#generations.length - 1; i >= 0; i--) {
      const value = this.#generations[i]?.entries.get(id);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  set(id: string, value: V, now: number): void {
    let youngest = this.#generations.at(-1) as Generation<V>;
    if (youngest.entries.size >= this.#maxGeneration || now - youngest.from >= this.#keepFor / GENERATIONS) {
      this.#drop(now);
      youngest = { entries: this.#newEntries(), from: now, until: now };
      this.#generations.push(youngest);
    }
    this.#size -= youngest.entries.size;
    youngest.entries.set(id, value);
    this.#size += youngest.entries.size;
    youngest.until = now;
  }

  /** Drops what is old enough, or has enough after it. */
  #drop(now: number): void {
    for (;;) {
      const [oldest] = this.#generations;
      if (oldest === undefined) return;
      const enoughAfterIt = this.#size - oldest.entries.size >= this.#maxEntries;
      if (!enoughAfterIt && now - oldest.until <= this.#keepFor) return;
      this.#generations.shift();
      this.#size -= oldest.entries.size;
    }
  }
}

const GENERATIONS = 16;

/** What is remembered, by id. */
export interface Entries<V> {
  readonly size: number;
  get(id: string): V | undefined;
  set(id: string, value: V): unknown;
}

/** Entries that came in one stretch of time, in µs. */
interface Generation<V> {
  readonly entries: Entries<V>;
  readonly from: number;
  until: number;
}
