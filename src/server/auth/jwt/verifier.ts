/** Verifies signed tokens (JWT, RFC 7519) of the issuers of the configuration. */

import { decodeJwt, jwtVerify } from "jose";
import type { Caller } from "../../access/caller.ts";
import type { Clock } from "../../clock.ts";
import type { JwtIssuer } from "../../config/auth-settings.ts";
import type { Log } from "../../log.ts";
import type { IssuerKeys } from "../issuer-keys.ts";
import { callerOfClaims } from "./claims.ts";
import { createKeyKeeper, type KeyKeeper } from "./key-keeper.ts";
import { loadKeys } from "./load-keys.ts";
import { watchKeyFile } from "./watch-key-file.ts";

/** Signatures that only the issuer can make. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** Characters: longer ones are not looked at. */
const MAX_TOKEN = 8_191;
/** s by which the issuer's clock may be ahead of this one's. */
const TOLERANCE = 5;

export interface JwtVerifier {
  /** Undefined: it does not count. Never rejects. */
  verify(token: string): Promise<Caller | undefined>;
  /** Whether this verifier has made this caller, by a key that its issuer still has. */
  isKnown(caller: Caller): boolean;
  /** How it stands with the keys of each issuer. */
  readKeys(): readonly IssuerKeys[];
  close(): void;
}

interface Issuer {
  readonly settings: JwtIssuer;
  readonly keys: KeyKeeper;
  readonly stopWatching: () => void;
}

export interface JwtVerifierOptions {
  readonly issuers: readonly JwtIssuer[];
  readonly clock: Clock;
  readonly log: Log;
  /** Called when an issuer has other keys than before: what was verified has to be verified anew. */
  readonly onKeysChanged: () => void;
}

export function createJwtVerifier({ issuers, clock, log, onKeysChanged }: JwtVerifierOptions): JwtVerifier {
  /** Of each caller the key by which it was made. */
  const known = new WeakMap<
    Caller,
    { readonly keys: KeyKeeper; readonly kid: string | undefined; readonly key: string }
  >();
  const all = issuers.map((settings): Issuer => {
    const { name, keys: source } = settings;
    const load = () => loadKeys(source);
    const keys = createKeyKeeper({ name, load, onChange: onKeysChanged, clock, log });
    return { settings, keys, stopWatching: watchKeyFile(source, { keys, clock, log }) };
  });

  async function verifyBy({ settings, keys }: Issuer, token: string): Promise<Caller | undefined> {
    const { payload, protectedHeader } = await jwtVerify(token, keys.keyOf, {
      algorithms: ALGORITHMS,
      issuer: settings.issuer,
      audience: settings.audience,
      // It takes a token without an end otherwise.
      requiredClaims: ["exp", "sub"],
      currentDate: new Date(clock.wallTime(clock.now())),
      clockTolerance: TOLERANCE,
    });
    const caller = callerOfClaims(settings, payload);
    const { kid } = protectedHeader;
    if (caller !== undefined) known.set(caller, { keys, kid, key: keys.knownOf(kid) });
    return caller;
  }

  return {
    async verify(token) {
      if (token.length > MAX_TOKEN) return undefined;
      try {
        // Unverified: it only says whose keys to try.
        const { iss } = decodeJwt(token);
        for (const issuer of all.filter(({ settings }) => settings.issuer === iss)) {
          const caller = await verifyBy(issuer, token).catch(() => undefined);
          if (caller !== undefined) return caller;
        }
      } catch {
        // It is no token at all.
      }
      return undefined;
    },
    isKnown(caller) {
      const by = known.get(caller);
      return by !== undefined && by.keys.knownOf(by.kid) === by.key;
    },
    readKeys: () => all.map(({ keys }) => keys.read()),
    close() {
      for (const { keys, stopWatching } of all) {
        stopWatching();
        keys.close();
      }
    },
  };
}
