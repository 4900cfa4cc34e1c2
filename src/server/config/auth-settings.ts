/** Who may call, as the configuration says it. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Auth } from "../gen/ggen/backpressure/config/v1/config_pb.ts";

export interface AuthSettings {
  readonly tokens: readonly StaticToken[];
  readonly jwt: readonly JwtIssuer[];
}

/** A token of which the server knows the digest alone. */
export interface StaticToken {
  readonly name: string;
  /** SHA-256 of the whole token, in hex; two while one takes the place of the other. */
  readonly digests: readonly string[];
  /** ms since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
  readonly tenant: string;
  readonly groups: readonly string[];
}

/** One who vouches for callers by signed tokens. */
export interface JwtIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly audience: string;
  readonly keys: KeySource;
  /** The claims that say who it is, and to whom it belongs; empty: none. */
  readonly callerClaim: string;
  readonly tenantClaim: string;
  readonly groupsClaim: string;
}

/** Where the public keys of an issuer are. */
export type KeySource =
  | {
      readonly kind: "url";
      readonly url: string;
      readonly caFile: string | undefined;
      readonly bearerFile: string | undefined;
    }
  | { readonly kind: "file"; readonly path: string };

export function authSettings({ tokens, jwt }: Auth): AuthSettings {
  return {
    tokens: tokens.map(({ name, sha256, expires, tenant, groups }) => ({
      name,
      digests: sha256.map((digest) => digest.toLowerCase()),
      expiresAt: expires && toMs(expires),
      tenant,
      groups,
    })),
    jwt: jwt.map(({ name, issuer, audience, jwks, caller, tenant, groups }) => ({
      name,
      issuer,
      audience,
      keys: jwks?.file
        ? { kind: "file", path: jwks.file }
        : {
            kind: "url",
            url: jwks?.url ?? "",
            caFile: jwks?.caFile || undefined,
            bearerFile: jwks?.bearerFile || undefined,
          },
      callerClaim: caller || "sub",
      tenantClaim: tenant,
      groupsClaim: groups,
    })),
  };
}

function toMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + nanos / 1_000_000;
}
