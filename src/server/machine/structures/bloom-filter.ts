/**
 * Which of several sets may have an id: what is asked for in vain, as every new request id is, is then looked for in hardly
 * any of them, and looking costs a cache miss or two each.
 *
 * A Bloom filter of one hash for each set, side by side: a set is a bit, so that one word says it of all of them.
 */

import { hash } from "./hash.ts";

export class BloomFilter {
  /**
   * A power of two of them, about as many as there are ids: an id that is in no set has one bit in the mean, or a few as long
   * as sets stay that were filled when there were less.
   */
  #words = new Uint32Array(FEWEST_WORDS);
  /** The bits that no set has. */
  #free = 0xffff_ffff;

  /** The bit of a new set, which is empty, beside others that have so many ids. There may be 32. */
  open(ids: number): number {
    const bit = this.#free & -this.#free;
    if (bit === 0) throw new Error("All 32 sets are in use.");
    this.#free &= ~bit;
    while (this.#words.length < Math.min(ids, MOST_WORDS)) this.#grow();
    return bit;
  }

  /** The set is gone. */
  close(bit: number): void {
    this.#free |= bit;
    const words = this.#words;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & ~bit;
  }

  /** The set now has the id. */
  add(id: string, bit: number): void {
    const index = this.#indexOf(id);
    this.#words[index] = (this.#words[index] as number) | bit;
  }

  /** The bits of all sets that have the id, and of some that have not. */
  of(id: string): number {
    return this.#words[this.#indexOf(id)] as number;
  }

  #indexOf(id: string): number {
    return hash(id) & (this.#words.length - 1);
  }

  /** Where an id will be found now is not known: it is in one of two words, so both say what the one has said. */
  #grow(): void {
    const words = this.#words;
    this.#words = new Uint32Array(2 * words.length);
    this.#words.set(words);
    this.#words.set(words, words.length);
  }
}

const FEWEST_WORDS = 2 ** 10;
/** 1 MB. */
const MOST_WORDS = 2 ** 18;
