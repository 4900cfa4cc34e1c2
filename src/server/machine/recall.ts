/**
 * What is remembered for a while after it has gone: how a lease ended, what a request id stood for.
 *
 * Two generations: the older is dropped whole when the younger is full or old enough, so forgetting costs nothing per
 * entry. An entry is kept for at least `keepFor`, unless more than `maxEntries` come after it.
 */
export class Recall<V> {
  readonly #keepFor: number;
  readonly #maxEntries: number;
  #younger = new Map<string, V>();
  #older = new Map<string, V>();
  #turnedAt = 0;

  /** `keepFor` in µs; at most twice `maxEntries` are kept. */
  constructor(options: { readonly keepFor: number; readonly maxEntries: number }) {
    this.#keepFor = options.keepFor;
    this.#maxEntries = options.maxEntries;
  }

  get(id: string): V | undefined {
    return this.#younger.get(id) ?? this.#older.get(id);
  }

  set(id: string, value: V, now: number): void {
    if (this.#younger.size >= this.#maxEntries || now - this.#turnedAt >= this.#keepFor) {
      this.#older = this.#younger;
      this.#younger = new Map();
      this.#turnedAt = now;
    }
    this.#younger.set(id, value);
  }
}
