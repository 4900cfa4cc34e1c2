/**
 * The measures against threats that a test tries, each to be taken out of a copy of the sources: its test must fail there. The table of
 * threats in docs/security.md names them.
 */

import type { Bug } from "./bug.ts";

export interface Measure extends Bug {
  /** What the server does without it, as the table has it. */
  readonly without: string;
  /** The file of the test that must find it, and a part of its name. */
  readonly test: string;
  readonly title: string;
}

const AUTHENTICATOR = "src/server/auth/create-authenticator.ts";
const AUTHENTICATION = "test/e2e/authentication.test.ts";
const CREDENTIAL_END = "test/e2e/credential-end.test.ts";
const EVERY_RPC = "test/e2e/every-rpc.test.ts";

export const MEASURES: readonly Measure[] = [
  {
    without: "a call without a credential is let in as anonymous",
    file: AUTHENTICATOR,
    find: "return isOpen() || settings.allowAnonymous ? ANONYMOUS : undefined;",
    replace: "return ANONYMOUS;",
    test: EVERY_RPC,
    title: "no call without a credential that counts reaches a service",
  },
  {
    without: "a call with a foreign credential is let in as anonymous",
    file: AUTHENTICATOR,
    find: "if (authorization !== undefined) return byToken(socket, authorization);",
    replace:
      "if (authorization !== undefined) return Promise.resolve(byToken(socket, authorization)).then((caller) => caller ?? ANONYMOUS);",
    test: EVERY_RPC,
    title: "no call without a credential that counts reaches a service",
  },
  {
    without: "a request id is everybody's",
    file: "src/server/machine/callers.ts",
    find: String.raw`return caller === ANONYMOUS_CALLER && !id.includes("\n") ? id : `,
    replace: "return caller === NO_CALLER || caller !== NO_CALLER ? id : ",
    test: "test/contract/engines.test.ts",
    title: "keeps request ids of two callers apart",
  },
  {
    without: "a lease is that of whoever names it",
    file: "src/server/machine/limiter/owning.ts",
    find: "lease !== undefined && lease.caller === callerOf(command) ? lease : undefined",
    replace: "lease !== undefined && callerOf(command) !== undefined ? lease : undefined",
    test: "test/contract/engines.test.ts",
    title: "answers another caller's renewal",
  },
  {
    without: "the list is not asked about names",
    file: "src/server/service/access/decide.ts",
    find: "if (!isAllowed(rights, rule.verb, resource)) return",
    replace: "if (rights === undefined || !isAllowed) return",
    test: "test/server/service/access/matrix.test.ts",
    title: "of another's things shows and changes nothing",
  },
  {
    without: "lists show all that there is",
    file: "src/server/service/access/visible.ts",
    find: "const items = page.items.filter(isSeen);",
    replace: "const items = isSeen === undefined ? [] : page.items;",
    test: "test/server/service/access/matrix.test.ts",
    title: "of another's things shows and changes nothing",
  },
  {
    without: "a caller has as many waiters as it likes",
    file: "src/server/machine/callers.ts",
    find: "if (waits && waiters >= maxWaiters) return",
    replace: "if (waits && waiters > 1e9) return",
    test: "test/server/service/access/one-caller.test.ts",
    title: "the 1,001st waiter of a caller is refused",
  },
  {
    without: "streams of a removed token go on",
    file: AUTHENTICATOR,
    find: 'if (caller.kind === "token") return tokens.isKnown(caller);',
    replace: 'if (caller.kind === "token") return true;',
    test: CREDENTIAL_END,
    title: "whose token is removed is cut off within a second",
  },
  {
    without: "streams of a withdrawn key go on",
    file: AUTHENTICATOR,
    find: 'live.review((caller) => caller.kind !== "jwt" || jwt.isKnown(credentialOf(caller)));',
    replace: "",
    test: CREDENTIAL_END,
    title: "whose token was signed by a key that is withdrawn is cut off",
  },
  {
    without: "connections of an authority that counts no more go on",
    file: "src/server/transport/port/certificate-review.ts",
    find: "if (!isOther) return;",
    replace: "if (isOther || !isOther) return;",
    test: "test/server/tls/processes/sent-away.test.ts",
    title: "of an authority that counts no more is sent away, its lease is orphaned",
  },
  {
    without: "keys are forgotten when they cannot be loaded",
    file: "src/server/auth/jwt/key-keeper.ts",
    find: "      isFailing = true;\n",
    replace: "      isFailing = true;\n      set = undefined;\n",
    test: "test/server/auth/key-keeper.test.ts",
    title: "count for a day while the issuer is down",
  },
  {
    without: "a signed token is read, and not verified",
    file: "src/server/auth/jwt/verifier.ts",
    find: "await jwtVerify(token, keys.keyOf, {",
    replace:
      "((_: object) => ({ payload: decodeJwt(token), protectedHeader: {} as { readonly kid?: string } }))({ jwtVerify,",
    test: AUTHENTICATION,
    title: "alg none do not count",
  },
  {
    without: "a certificate that nobody vouches for gives a name",
    file: AUTHENTICATOR,
    find: "socket.authorized ? certificateName(certificate.subjectAltName) : undefined",
    replace: "certificateName(certificate.subjectAltName)",
    test: "test/e2e/certificate-callers.test.ts",
    title: "of another authority does not count",
  },
  {
    without: "of several URIs of a certificate the first counts",
    file: "src/server/auth/certificate-name.ts",
    find: "if (uris.length > 1) return undefined;",
    replace: "",
    test: "test/e2e/certificate-callers.test.ts",
    title: "with two URIs does not count",
  },
  {
    without: "a header that a client has written stands",
    file: "src/server/transport/grpc/underlying-stream.ts",
    find: "      headers[KEY] = id;",
    replace: "      headers[KEY] ??= id;",
    test: AUTHENTICATION,
    title: "lets nobody be another by a header of its own",
  },
  {
    without: "no header of a browser is looked at",
    file: "src/server/transport/web/page-guard.ts",
    find: "if (allows(origin)) return undefined;",
    replace: "if (allows !== undefined) return undefined;",
    test: "test/server/transport/page-guard.test.ts",
    title: "a page of others",
  },
  {
    without: "an issuer is asked for each key that is not known",
    file: "src/server/auth/jwt/key-keeper.ts",
    find: "else if (clock.now() - attemptedAt >= LEAST_BETWEEN) await refresh();",
    replace: "else if (clock.now() - attemptedAt < LONGEST) await refresh();",
    test: "test/server/auth/sockets/made-up-keys.test.ts",
    title: "10,000 tokens with made-up keys",
  },
  {
    without: "half a file is taken up",
    file: "src/server/config/watch/taken-away.ts",
    find: "after === undefined || after.allowAnonymous) return [];",
    replace: "after === undefined || after.listeners !== undefined) return [];",
    test: "test/server/config/processes/watch-config.test.ts",
    title: "is not taken up, and the log says what to write",
  },
  {
    without: "a line of the audit file is not compared with its own SHA-256",
    file: "src/server/audit/line.ts",
    find: "if (sha256(whole) !== own) return",
    replace: 'if (own === "") return',
    test: "test/server/audit/processes/audit-file.test.ts",
    title: "in which a byte was changed, whichever byte it is",
  },
  {
    without: "a line of the audit file is not compared with the one before",
    file: "src/server/audit/line.ts",
    find: "return prev === before.digest ? undefined :",
    replace: 'return prev !== "" ? undefined :',
    test: "test/server/audit/processes/audit-file.test.ts",
    title: "behind one that was written anew with a SHA-256 of its own",
  },
  {
    without: "figures are shown to all",
    file: "src/server/transport/web/metrics-page.ts",
    find: "if (mayRead(caller)) void answer(",
    replace: "if (mayRead !== undefined) void answer(",
    test: EVERY_RPC,
    title: "figures are for callers who may observe everything",
  },
];
