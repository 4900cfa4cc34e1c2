/** Credentials of three kinds: one that counts, one of a caller who may do nothing to what is there, and some that do not count. */

import { randomBytes } from "node:crypto";
import { digestOf } from "../../../../src/server/auth/static-tokens.ts";
import { type Authority, createAuthority, type Leaf } from "../../../support/certificates.ts";
import { AUDIENCE, createSigningKey, ISSUER, sign } from "../../../support/identity-provider.ts";

export const KINDS = ["token", "jwt", "certificate"] as const;
export type Kind = (typeof KINDS)[number];
/** `right`: of the tenant whose things are there. `poor`: of one that has other things. */
export type Worth = "none" | "garbage" | "expired" | "foreign" | "poor" | "right";

export interface Credential {
  readonly kind: Kind | "none";
  readonly worth: Worth;
  readonly authorization: string | undefined;
  readonly certificate: Leaf | undefined;
}

export interface Credentials {
  readonly all: readonly Credential[];
  /** A token that may everything. */
  readonly operator: string;
  /** The tenant's own token, whose caller has the things that are there. */
  readonly owner: string;
  /** Who counts, and may do what: sections of a configuration. */
  readonly config: { readonly auth: object; readonly access: readonly object[] };
  /** Of the clients' certificates. */
  readonly clientCa: string;
  /** The public keys of the issuer of signed tokens. */
  readonly keys: string;
}

const SPIFFE = "spiffe://every-rpc.example";

/** `keysFile`: where the server finds `keys`. */
export async function createCredentials(keysFile: string): Promise<Credentials> {
  const [key, foreignKey] = [await createSigningKey(), await createSigningKey()];
  const [clients, foreign] = [await createAuthority("clients"), await createAuthority("clients")];
  const tokens = { right: tokenOf("red"), poor: tokenOf("poor"), expired: tokenOf("old"), operator: tokenOf("sre") };
  const entry = (name: string, token: string, more: object = {}) => ({
    name,
    sha256: [digestOf(token).toString("hex")],
    ...more,
  });
  const may = ["acquire", "observe", "operate"];
  const rightsOf = (tenant: string) => ({
    who: [`token:${tenant}`, `idp:${tenant}`, `${SPIFFE}/${tenant}`],
    may,
    limiters: [`${tenant}-*`],
    boards: [`${tenant}-*`],
  });
  return {
    all: [
      { kind: "none", worth: "none", authorization: undefined, certificate: undefined },
      byToken("garbage", "bp_red_short"),
      byToken("expired", tokens.expired),
      byToken("foreign", tokenOf("red")),
      byToken("poor", tokens.poor),
      byToken("right", tokens.right),
      byJwt("garbage", "e30.e30.e30"),
      byJwt("expired", await sign(key, { sub: "red" }, -60)),
      byJwt("foreign", await sign({ ...foreignKey, kid: key.kid }, { sub: "red" })),
      byJwt("poor", await sign(key, { sub: "poor" })),
      byJwt("right", await sign(key, { sub: "red" })),
      byCertificate("garbage", await clients.issue({ subject: "CN=red", extensions: [] })),
      byCertificate("expired", await issue(clients, "red", -1_000)),
      byCertificate("foreign", await issue(foreign, "red")),
      byCertificate("poor", await issue(clients, "poor")),
      byCertificate("right", await issue(clients, "red")),
    ],
    operator: tokens.operator,
    owner: tokens.right,
    config: {
      auth: {
        tokens: [
          entry("red", tokens.right),
          entry("poor", tokens.poor),
          entry("old", tokens.expired, { expires: "2026-01-01T00:00:00Z" }),
          entry("sre", tokens.operator),
        ],
        jwt: [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { file: keysFile } }],
      },
      access: [
        rightsOf("red"),
        rightsOf("poor"),
        // One whose token has run out could do everything.
        { who: ["token:sre", "token:old"], may, limiters: ["*"], boards: ["*"] },
      ],
    },
    clientCa: clients.cert,
    keys: JSON.stringify({ keys: [key.jwk] }),
  };
}

function tokenOf(name: string): string {
  return `bp_${name}_${randomBytes(32).toString("base64url")}`;
}

function byToken(worth: Worth, token: string): Credential {
  return { kind: "token", worth, authorization: `Bearer ${token}`, certificate: undefined };
}

function byJwt(worth: Worth, token: string): Credential {
  return { kind: "jwt", worth, authorization: `Bearer ${token}`, certificate: undefined };
}

function byCertificate(worth: Worth, certificate: Leaf): Credential {
  return { kind: "certificate", worth, authorization: undefined, certificate };
}

function issue(authority: Authority, name: string, notAfter?: number): Promise<Leaf> {
  return authority.issue({
    names: [{ type: "url", value: `${SPIFFE}/${name}` }],
    ...(notAfter !== undefined && { notAfter }),
  });
}
