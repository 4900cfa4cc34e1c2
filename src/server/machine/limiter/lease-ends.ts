/**
 * How leases have ended, by their ids, in a few bytes each and nothing for the garbage collector to look at: as strings in a
 * `Map` they cost a twentieth of a call, and a fifth of the memory of a server under load.
 *
 * An open-addressing hash table of 64-bit fingerprints. Of a million ids, one that was never there is taken for one of them
 * once in 2^44 times, and is then said to have ended rather than not to be known.
 */

import type { Entries } from "../structures/generation-map.ts";
import { mixed } from "../structures/hash.ts";
import type { LeaseEnd } from "./outcomes.ts";

const ENDS: readonly LeaseEnd[] = ["released", "cancelled", "expired", "revoked", "deleted"];
const CODES = new Map(ENDS.map((end, index) => [end, index + 1]));
const SMALLEST = 64;
const FULLEST = 3 / 4;

export class EndTable implements Entries<LeaseEnd> {
  /** Two words of fingerprint a place. */
  #prints: Uint32Array;
  /** 0: the place is free. */
  #codes: Uint8Array;
  #size = 0;

  /** `expected`: how many there will be; a table that has room from the start is never copied. */
  constructor(expected = 0) {
    let places = SMALLEST;
    while (places * FULLEST <= expected) places *= 2;
    this.#prints = new Uint32Array(2 * places);
    this.#codes = new Uint8Array(places);
  }

  get size(): number {
    return this.#size;
  }

  get(id: string): LeaseEnd | undefined {
    fingerprint(id);
    return ENDS[(this.#codes[this.#placeOf(low, high)] as number) - 1];
  }

  set(id: string, end: LeaseEnd): void {
    if (this.#size >= this.#codes.length * FULLEST) this.#grow();
    fingerprint(id);
    this.#put(low, high, CODES.get(end) as number);
  }

  /** Where it is, or the free place where it would be. */
  #placeOf(first: number, second: number): number {
    const mask = this.#codes.length - 1;
    let place = first & mask;
    while (this.#codes[place] !== 0) {
      if (this.#prints[2 * place] === first && this.#prints[2 * place + 1] === second) break;
      place = (place + 1) & mask;
    }
    return place;
  }

  #put(first: number, second: number, code: number): void {
    const place = this.#placeOf(first, second);
    if (this.#codes[place] === 0) this.#size += 1;
    this.#prints[2 * place] = first;
    this.#prints[2 * place + 1] = second;
    this.#codes[place] = code;
  }

  #grow(): void {
    const prints = this.#prints;
    const codes = this.#codes;
    this.#prints = new Uint32Array(2 * prints.length);
    this.#codes = new Uint8Array(2 * codes.length);
    this.#size = 0;
    for (let place = 0; place < codes.length; place++) {
      const code = codes[place] as number;
      if (code !== 0) this.#put(prints[2 * place] as number, prints[2 * place + 1] as number, code);
    }
  }
}

/** The last fingerprint: two variables rather than an object, since every call makes one. */
let low = 0;
let high = 0;

/** Two hashes in the manner of FNV-1a with multipliers of their own, each mixed. */
function fingerprint(id: string): void {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < id.length; i += 1) {
    const unit = id.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul((b << 5) ^ (b >>> 27) ^ unit, 0x5bd1e995);
  }
  low = mixed(a);
  high = mixed(b);
}
