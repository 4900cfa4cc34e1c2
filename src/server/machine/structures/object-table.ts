/**
 * Objects by a key that each carries itself, in a third of the memory of a `Map`: an entry is one pointer. It comes and goes without
 * garbage, too; a `Map` that is emptied again and again is made anew each time.
 *
 * An open-addressing hash table with linear probing, at most three quarters full; what is taken out leaves no gap behind.
 */

const SMALLEST = 8;
const FULLEST = 3 / 4;

export interface Keying<T, K> {
  keyOf(item: T): K;
  /** A whole number; its lower bits are used. */
  hash(key: K): number;
}

export class ObjectTable<T extends object, K> {
  readonly #keying: Keying<T, K>;
  /** Its length is a power of two. */
  #places: (T | undefined)[] = empty(SMALLEST);
  #size = 0;

  constructor(keying: Keying<T, K>) {
    this.#keying = keying;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): T | undefined {
    return this.#size === 0 ? undefined : this.#places[this.#placeOf(key)];
  }

  /** Takes the place of the object of the same key, if there is one. */
  add(item: T): void {
    if (this.#size >= this.#places.length * FULLEST) this.#resize(2 * this.#places.length);
    const place = this.#placeOf(this.#keying.keyOf(item));
    if (this.#places[place] === undefined) this.#size += 1;
    this.#places[place] = item;
  }

  /** Takes this very object out, if it is in. */
  delete(item: T): void {
    if (this.#size === 0) return;
    const place = this.#placeOf(this.#keying.keyOf(item));
    if (this.#places[place] !== item) return;
    this.#size -= 1;
    this.#close(place);
    if (this.#places.length > SMALLEST && this.#size < this.#places.length / 8) this.#resize(this.#places.length / 2);
  }

  *values(): IterableIterator<T> {
    for (const item of this.#places) if (item !== undefined) yield item;
  }

  /** Where the object of this key is, or the free place where it would be. */
  #placeOf(key: K): number {
    const mask = this.#places.length - 1;
    let place = this.#keying.hash(key) & mask;
    for (;;) {
      const item = this.#places[place];
      if (item === undefined || this.#keying.keyOf(item) === key) return place;
      place = (place + 1) & mask;
    }
  }

  /** Frees a place, and moves up those behind it that a search from their own place would no longer reach. */
  #close(free: number): void {
    const mask = this.#places.length - 1;
    let gap = free;
    for (let place = (gap + 1) & mask; ; place = (place + 1) & mask) {
      const item = this.#places[place];
      if (item === undefined) break;
      const home = this.#keying.hash(this.#keying.keyOf(item)) & mask;
      if (((place - home) & mask) < ((place - gap) & mask)) continue;
      this.#places[gap] = item;
      gap = place;
    }
    this.#places[gap] = undefined;
  }

  #resize(length: number): void {
    const before = this.#places;
    this.#places = empty(length);
    for (const item of before) if (item !== undefined) this.#places[this.#placeOf(this.#keying.keyOf(item))] = item;
  }
}

function empty<T>(length: number): (T | undefined)[] {
  return Array.from({ length }, () => undefined);
}
