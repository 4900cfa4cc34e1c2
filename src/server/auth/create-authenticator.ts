/** Tells who makes a call, by its token or by the certificate of its connection. */

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import type { Authenticator, Identity } from "../access/authenticator.ts";
import { ANONYMOUS, type Caller } from "../access/caller.ts";
import type { Clock } from "../clock.ts";
import type { AuthSettings } from "../config/auth-settings.ts";
import type { Log } from "../log.ts";
import { certificateName } from "./certificate-name.ts";
import type { FailedAttempts } from "./failed-attempts.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import { createJwtVerifier, type JwtVerifier } from "./jwt/verifier.ts";
import { createLiveCredentials } from "./live-credentials.ts";
import { createLogins } from "./logins.ts";
import { createStaticTokens, isStaticToken, type StaticTokens } from "./static-tokens.ts";
import { createVerificationTurns } from "./verification-turns.ts";

export interface AuthenticatorSettings {
  /** Undefined: no token counts. */
  readonly auth: AuthSettings | undefined;
  /** Whether clients are asked for certificates. */
  readonly certificates: boolean;
  /** Whether a call without a credential is let through, where others are asked. */
  readonly allowAnonymous: boolean;
}

export interface ConfiguredAuthenticator extends Authenticator {
  /** Takes up other settings; streams whose credential counts no more end at once. */
  configure(settings: AuthenticatorSettings): void;
  /** How it stands with the keys of each issuer of tokens. */
  readKeys(): readonly IssuerKeys[];
  close(): void;
}

export interface AuthenticatorOptions {
  /** 32 bytes under which logins are sealed. */
  readonly secretKey: Uint8Array;
  readonly settings: AuthenticatorSettings;
  readonly failures: FailedAttempts;
  readonly clock: Clock;
  readonly log: Log;
}

/** RFC 6750. */
const BEARER = /^bearer +([\w.~+/=-]+) *$/i;
/** Verified tokens that are remembered, and ms for each at most. */
const MOST_REMEMBERED = 10_000;
const REMEMBERED_FOR = 300_000;
/** ms for which a page is logged in at most. */
const LOGIN_LASTS = 12 * 3_600_000;
/** Before a login, where it is remembered beside tokens. */
const LOGIN = "login ";

export function createAuthenticator(options: AuthenticatorOptions): ConfiguredAuthenticator {
  const { settings: first, secretKey, failures, clock, log } = options;
  const turns = createVerificationTurns();
  const logins = createLogins(secretKey);
  /** The caller of the token, of one that is logged in by it. */
  const shownBy = new WeakMap<Caller, Caller>();
  const live = createLiveCredentials(clock);
  const certificates = new WeakMap<Socket, Identity>();
  let remembered = new Map<string, { readonly caller: Caller; readonly until: number }>();
  let settings = first;
  let tokens: StaticTokens = createStaticTokens(settings.auth?.tokens ?? []);
  let jwt: JwtVerifier = createVerifier();

  function createVerifier(): JwtVerifier {
    return createJwtVerifier({ issuers: settings.auth?.jwt ?? [], clock, log, onKeysChanged: keysChanged });
  }

  function isOpen(): boolean {
    return settings.auth === undefined && !settings.certificates;
  }

  /** Forgets all but signed tokens that count still: to verify one takes time, and is refused to an address that gets others wrong. */
  function forgetOthers(): void {
    remembered = new Map(
      [...remembered].filter(([, { caller }]) => caller.kind === "jwt" && jwt.isKnown(credentialOf(caller))),
    );
  }

  function keysChanged(): void {
    forgetOthers();
    live.review((caller) => caller.kind !== "jwt" || jwt.isKnown(credentialOf(caller)));
  }

  function wallNow(): number {
    return clock.wallTime(clock.now());
  }

  function refused(socket: Socket, kind: string): undefined {
    const address = socket.remoteAddress ?? "unknown";
    const { isToldNow, times } = failures.failed(address);
    const words = "a credential does not count, and its call is refused";
    if (isToldNow) log.warn({ event: "credential-refused", address, credential: kind, times }, words);
    return undefined;
  }

  function byCertificate(socket: Socket): Identity {
    if (!(socket instanceof TLSSocket)) return withoutCredential();
    if (!certificates.has(socket)) certificates.set(socket, readCertificate(socket));
    const caller = certificates.get(socket);
    if (caller?.expiresAt !== undefined && Number(caller.expiresAt) <= wallNow()) return undefined;
    return caller === ANONYMOUS ? withoutCredential() : caller;
  }

  /** Anonymous: there is none. Undefined: it does not count. */
  function readCertificate(socket: TLSSocket): Identity {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return ANONYMOUS;
    const name = socket.authorized ? certificateName(certificate.subjectAltName) : undefined;
    if (name === undefined) return refused(socket, "certificate");
    const expiresAt = BigInt(Date.parse(certificate.validTo));
    return { name, tenant: "", groups: [], kind: "certificate", expiresAt, claims: {} };
  }

  function withoutCredential(): Identity {
    return isOpen() || settings.allowAnonymous ? ANONYMOUS : undefined;
  }

  function byToken(socket: Socket, authorization: string): Identity | Promise<Identity> {
    const [, token] = BEARER.exec(authorization) ?? [];
    if (token !== undefined) {
      const found = remembered.get(token);
      if (found !== undefined && found.until > wallNow()) return found.caller;
    }
    // It takes a digest, and nobody guesses one: a right token counts from an address that others get wrong, too.
    if (token !== undefined && isStaticToken(token)) {
      const caller = tokens.callerOf(token, wallNow());
      if (caller !== undefined) return remember(token, caller);
    }
    // Too many were wrong: they are not verified, nor logged.
    const address = socket.remoteAddress ?? "unknown";
    if (!failures.mayTry(address)) return undefined;
    if (token === undefined) return refused(socket, "none that is known");
    if (isStaticToken(token)) return refused(socket, "token");
    return turns.take(address, () => verifySigned(socket, token));
  }

  async function verifySigned(socket: Socket, token: string): Promise<Identity> {
    if (!failures.mayTry(socket.remoteAddress ?? "unknown")) return undefined;
    const verifier = jwt;
    const caller = await verifier.verify(token);
    if (caller === undefined) return refused(socket, "jwt");
    // The settings, or its key, may have gone meanwhile.
    return verifier === jwt && jwt.isKnown(caller) ? remember(token, caller) : undefined;
  }

  /** A token that was right once is no guess, and a login of another server is nobody's fault: neither counts as a failure. */
  function byLogin(socket: Socket, sealed: string): Identity | Promise<Identity> {
    const found = remembered.get(LOGIN + sealed);
    if (found !== undefined && found.until > wallNow()) return found.caller;
    const login = logins.open(sealed);
    if (login === undefined || login.until <= wallNow()) return byCertificate(socket);
    const { token, until } = login;
    const takeUp = (caller: Identity) =>
      caller === undefined ? byCertificate(socket) : remember(LOGIN + sealed, untilLoginEnds(caller, until));
    if (isStaticToken(token)) return takeUp(tokens.callerOf(token, wallNow()));
    return verifyAnew(token).then(takeUp);
  }

  async function verifyAnew(token: string): Promise<Identity> {
    const verifier = jwt;
    const caller = await verifier.verify(token);
    return caller !== undefined && verifier === jwt && jwt.isKnown(caller) ? caller : undefined;
  }

  /** The caller as its token has made it. */
  function credentialOf(caller: Caller): Caller {
    return shownBy.get(caller) ?? caller;
  }

  function untilLoginEnds(caller: Caller, until: number): Caller {
    const own: Caller = { ...caller, expiresAt: BigInt(until) };
    shownBy.set(own, caller);
    return own;
  }

  function remember(token: string, caller: Caller): Caller {
    const { expiresAt } = caller;
    const until = Math.min(wallNow() + REMEMBERED_FOR, Number(expiresAt ?? Number.POSITIVE_INFINITY));
    remembered.delete(token);
    remembered.set(token, { caller, until });
    if (remembered.size > MOST_REMEMBERED) remembered.delete(remembered.keys().next().value as string);
    return caller;
  }

  return {
    get isOpen() {
      return isOpen();
    },
    identify(socket, { authorization, login }) {
      if (isOpen()) return ANONYMOUS;
      if (authorization !== undefined) return byToken(socket, authorization);
      return login === undefined ? byCertificate(socket) : byLogin(socket, login);
    },
    async logIn(socket, token) {
      if (isOpen()) return undefined;
      const caller = await byToken(socket, `Bearer ${token}`);
      if (caller === undefined) return undefined;
      const until = Math.min(Math.floor(wallNow()) + LOGIN_LASTS, Number(caller.expiresAt ?? Number.POSITIVE_INFINITY));
      return { caller: untilLoginEnds(caller, until), login: logins.seal({ token, until }) };
    },
    watch: (caller, onEnded) => live.watch(caller, onEnded),
    configure(next) {
      const before = settings;
      settings = next;
      tokens = createStaticTokens(next.auth?.tokens ?? []);
      if (!isDeepStrictEqual(before.auth?.jwt, next.auth?.jwt)) {
        jwt.close();
        jwt = createVerifier();
      }
      forgetOthers();
      live.review((watched) => {
        const caller = credentialOf(watched);
        if (caller.kind === "token") return tokens.isKnown(caller);
        if (caller.kind === "jwt") return jwt.isKnown(caller);
        return caller.kind === "certificate" || withoutCredential() !== undefined;
      });
    },
    readKeys: () => jwt.readKeys(),
    close() {
      jwt.close();
      live.close();
    },
  };
}
