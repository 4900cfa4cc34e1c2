/** Ids and secrets: the only file that asks for randomness. */

import { hash, randomBytes, timingSafeEqual } from "node:crypto";

export interface Ids {
  /** A fresh id for a waiter and the lease that it will be: unguessable, and sorted by nothing. */
  next(): string;
  /** The secret of a lease: always the same for one id, so that no lease's secret has to be kept. */
  secretOf(leaseId: string): string;
  /** Whether `secret` is that of the lease, in constant time. */
  isSecretOf(leaseId: string, secret: string): boolean;
}

const ID_BYTES = 15;
const POOL_IDS = 256;

/** 32 bytes under which secrets are made, fresh. */
export function createSecretKey(): Uint8Array {
  return randomBytes(32);
}

/** `key`: 32 bytes under which secrets are made; a restart with the same key knows the secrets of before. */
export function createIds(key: Uint8Array = createSecretKey()): Ids {
  let pool = Buffer.alloc(0);
  let used = 0;
  const secretOf = createHmac(key);
  return {
    next() {
      // One call for many ids: asking the operating system for each costs more than a grant.
      if (used === pool.length) {
        pool = randomBytes(ID_BYTES * POOL_IDS);
        used = 0;
      }
      // It begins with a letter: with a dash it would be taken for an option on a command line.
      pool[used] = (pool[used] as number) & 0x7f;
      used += ID_BYTES;
      return pool.toString("base64url", used - ID_BYTES, used);
    },
    secretOf,
    isSecretOf(leaseId, secret) {
      const expected = Buffer.from(secretOf(leaseId));
      const given = Buffer.from(secret);
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

/** Of SHA-256. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** More than the contract lets an id have. */
const MAX_TEXT_BYTES = 1_024;

/**
 * HMAC-SHA-256 of a text in base64url, as RFC 2104 defines it: a hash of the key in one disguise and the text, then one of
 * the key in another and that. Node's own makes an object each time, which costs three times as much and shows in every call.
 */
function createHmac(key: Uint8Array): (text: string) => string {
  const disguised = (pad: number, room: number) => {
    const bytes = Buffer.alloc(BLOCK_BYTES + room);
    for (let i = 0; i < BLOCK_BYTES; i++) bytes[i] = pad ^ (key[i] ?? 0);
    return bytes;
  };
  const inner = disguised(0x36, MAX_TEXT_BYTES);
  const outer = disguised(0x5c, DIGEST_BYTES);
  return (text) => {
    const length = inner.write(text, BLOCK_BYTES);
    // As text of one byte a character: a Buffer for it costs as much as the hash.
    outer.write(hash("sha256", inner.subarray(0, BLOCK_BYTES + length), "binary"), BLOCK_BYTES, "binary");
    return hash("sha256", outer, "base64url");
  };
}
