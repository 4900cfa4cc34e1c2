/** What a token that was verified says of its caller. */

import type { JWTPayload } from "jose";
import type { Caller } from "../../access/caller.ts";
import type { JwtIssuer } from "../../config/auth-settings.ts";

const MAX_NAME = 512;
const MAX_GROUPS = 200;
const MAX_CLAIMS = 64;
const MAX_TEXT = 512;
/** A control character in a name would end up in logs and on terminals. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}]+$/u;

/** Undefined: it does not say who it is. */
export function callerOfClaims(issuer: JwtIssuer, payload: JWTPayload): Caller | undefined {
  const own = textOf(claimAt(payload, issuer.callerClaim));
  if (own === undefined || payload.exp === undefined) return undefined;
  const name = `${issuer.name}:${own}`;
  if (name.length > MAX_NAME) return undefined;
  return {
    name,
    tenant: textOf(claimAt(payload, issuer.tenantClaim)) ?? "",
    groups: textsOf(claimAt(payload, issuer.groupsClaim)),
    kind: "jwt",
    expiresAt: BigInt(Math.floor(payload.exp * 1000)),
    claims: textClaims(payload),
  };
}

/** `kubernetes.io/namespace` is a claim of that name, or `namespace` in the claim `kubernetes.io`. */
function claimAt(payload: JWTPayload, path: string): unknown {
  if (path === "") return undefined;
  if (Object.hasOwn(payload, path)) return payload[path];
  let value: unknown = payload;
  for (const name of path.split("/")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= MAX_TEXT && PRINTABLE.test(value) ? value : undefined;
}

function textsOf(value: unknown): readonly string[] {
  const all = Array.isArray(value) ? value : [value];
  return all.slice(0, MAX_GROUPS).flatMap((one) => textOf(one) ?? []);
}

/** Those of objects in it by `OUTER/INNER`. */
function textClaims(payload: JWTPayload): Readonly<Record<string, string>> {
  const claims: [string, string][] = [];
  const add = (name: string, value: unknown) => {
    const text = textOf(value);
    if (text !== undefined && claims.length < MAX_CLAIMS) claims.push([name, text]);
  };
  for (const [name, value] of Object.entries(payload)) {
    add(name, value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
    for (const [inner, each] of Object.entries(value)) add(`${name}/${inner}`, each);
  }
  // Without a prototype, so that no claim's name finds anything else.
  return Object.assign(Object.create(null), Object.fromEntries(claims));
}
