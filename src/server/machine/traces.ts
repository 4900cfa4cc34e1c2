/**
 * Which of several sets may have an id: what is asked for in vain, as every new request id is, is then looked for in hardly
 * any of them, and looking costs a cache miss or two each.
 *
 * A Bloom filter of one hash for each set, side by side: a set is a bit, so that one word says it of all of them.
 */

import { hash } from "./hash.ts";

export class Traces {
  /** Made for the first id: most machines that are embedded see none. */
  #words: Uint32Array | undefined;
  /** The bits that no set has. */
  #free = 0xffff_ffff;

  /** The bit of a new set, which is empty. There are 32. */
  open(): number {
    const bit = this.#free & -this.#free;
    if (bit === 0) throw new Error("All 32 sets are in use.");
    this.#free &= ~bit;
    return bit;
  }

  /** The set is gone. */
  close(bit: number): void {
    this.#free |= bit;
    const words = this.#words;
    if (words === undefined) return;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & ~bit;
  }

  /** The set now has the id. */
  add(id: string, bit: number): void {
    this.#words ??= new Uint32Array(WORDS);
    const index = hash(id) & (WORDS - 1);
    this.#words[index] = (this.#words[index] as number) | bit;
  }

  /** The bits of all sets that have the id, and of some that have not. */
  of(id: string): number {
    return this.#words === undefined ? 0 : (this.#words[hash(id) & (WORDS - 1)] as number);
  }
}

/** With as many ids in all of them, an id that is in none has one bit in the mean. */
const WORDS = 2 ** 18;
