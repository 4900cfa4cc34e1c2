/** Ids and secrets: the only file that asks for randomness. */

import { hash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";

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
/** Characters of SHA-256 in base64url. */
const SECRET_LENGTH = 43;
/** A power of two. */
const RECENT_SECRETS = 1_024;

/** An id of this process, for telemetry: another after each start. */
export function createInstanceId(): string {
  return randomUUID();
}

/** 32 bytes under which secrets are made, fresh. */
export function createSecretKey(): Uint8Array {
  return randomBytes(32);
}

/** `key`: 32 bytes under which secrets are made; a restart with the same key knows the secrets of before. */
export function createIds(key: Uint8Array = createSecretKey()): Ids {
  let pool = Buffer.alloc(0);
  let used = 0;
  const expected = Buffer.alloc(SECRET_LENGTH);
  const given = Buffer.alloc(SECRET_LENGTH);
  const secretOf = remembering(createHmac(key));
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
      if (secret.length !== SECRET_LENGTH) return false;
      // What is not ASCII takes more bytes than there are, and differs in the first of them that it has.
      given.fill(0);
      given.write(secret);
      expected.write(secretOf(leaseId));
      return timingSafeEqual(expected, given);
    },
  };
}

/** The same function, which knows what it said of some of the latest texts: most leases are released soon after their grant. */
function remembering(make: (text: string) => string): (text: string) => string {
  const texts: string[] = Array.from({ length: RECENT_SECRETS }, () => "");
  const secretOfNone = make("");
  const secrets: string[] = Array.from({ length: RECENT_SECRETS }, () => secretOfNone);
  return (text) => {
    const last = text.length - 1;
    const place = (text.charCodeAt(last) * 61 + text.charCodeAt(last - 1)) & (RECENT_SECRETS - 1);
    if (texts[place] !== text) {
      texts[place] = text;
      secrets[place] = make(text);
    }
    return secrets[place] as string;
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
