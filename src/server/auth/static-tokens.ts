/** Tokens that an operator hands out: the file has their digests, and the server knows no more. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { Caller } from "../access/caller.ts";
import type { StaticToken } from "../config/auth-settings.ts";

/** `bp_`, a name without underscores, and 32 random bytes. */
const FORM = /^bp_([a-z0-9][a-z0-9.-]{0,62})_[A-Za-z0-9_-]{43}$/;

export interface StaticTokens {
  /** Undefined: it is none of these, or has run out by `now` (ms since 1970). */
  callerOf(token: string, now: number): Caller | undefined;
  /** Whether a token that made this caller is still among them. */
  isKnown(caller: Caller): boolean;
}

export function isStaticToken(token: string): boolean {
  return token.startsWith("bp_");
}

export function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

export function createStaticTokens(tokens: readonly StaticToken[]): StaticTokens {
  const byName = new Map(tokens.map((token) => [token.name, entriesOf(token)]));
  return {
    callerOf(token, now) {
      const [, name] = FORM.exec(token) ?? [];
      const digest = digestOf(token);
      const entry = byName.get(name ?? "")?.find(({ bytes }) => timingSafeEqual(bytes, digest));
      if (entry === undefined) return undefined;
      const { expiresAt } = entry.caller;
      return expiresAt !== undefined && Number(expiresAt) <= now ? undefined : entry.caller;
    },
    isKnown(caller) {
      const name = caller.name.slice(PREFIX.length);
      return byName.get(name)?.some(({ bytes }) => bytes.toString("hex") === DIGESTS.get(caller)) ?? false;
    },
  };
}

const PREFIX = "token:";
/** Which of two tokens of one name a caller has. */
const DIGESTS = new WeakMap<Caller, string>();

function entriesOf({ name, digests, expiresAt, tenant, groups }: StaticToken) {
  return digests.map((digest) => {
    const caller: Caller = {
      name: `${PREFIX}${name}`,
      tenant,
      groups,
      kind: "token",
      expiresAt: expiresAt === undefined ? undefined : BigInt(Math.floor(expiresAt)),
      claims: {},
    };
    DIGESTS.set(caller, digest);
    return { bytes: Buffer.from(digest, "hex"), caller };
  });
}
