/**
 * Hashes the ids of commands, which clients choose. By a hash that they knew they could choose ids that all lie in one place of a table,
 * and each command would search through all others.
 *
 * Tabulation hashing: a random word for each value of each byte, combined by XOR. Tables with linear probing take constant time for
 * whatever ids (Pătraşcu and Thorup, The Power of Simple Tabulation Hashing, 2012).
 */

import { randomFillSync } from "node:crypto";

const BYTES = 8;
const WORDS = randomFillSync(new Uint32Array(BYTES * 256));

export function hashOfId(id: number | bigint): number {
  if (typeof id === "bigint") return hashOfWords(Number(BigInt.asUintN(32, id)), Number(id >> 32n));
  return hashOfWords(id | 0, Math.floor(id / 2 ** 32));
}

function hashOfWords(low: number, high: number): number {
  const hash = words(low, 0);
  // Most ids are small.
  return high === 0 ? hash : hash ^ words(high, 4);
}

function words(word: number, byte: number): number {
  const at = byte << 8;
  return (
    wordAt(at + (word & 0xff)) ^
    wordAt(at + 0x100 + ((word >>> 8) & 0xff)) ^
    wordAt(at + 0x200 + ((word >>> 16) & 0xff)) ^
    wordAt(at + 0x300 + (word >>> 24))
  );
}

function wordAt(index: number): number {
  return WORDS[index] as number;
}
