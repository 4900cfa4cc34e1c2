/** Ids and secrets: the only file that asks for randomness. */

import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from "node:crypto";

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

/** `key`: 32 bytes under which secrets are made; a restart with the same key knows the secrets of before. */
export function createIds(key: Uint8Array = randomBytes(32)): Ids {
  let pool = Buffer.alloc(0);
  let used = 0;
  // Node makes such an object of a bare key with each use, which costs seven times as much as the HMAC.
  const secretKey = createSecretKey(key);
  const secretOf = (leaseId: string) => createHmac("sha256", secretKey).update(leaseId).digest("base64url");
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
