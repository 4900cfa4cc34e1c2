/** Who makes a call. The transport makes it of the call's credential, before any service sees the call. */

import { ANONYMOUS_CALLER } from "../machine/callers.ts";

export interface Caller {
  /** Unique over all callers: a `spiffe://` or `dns:` name, `<issuer>:<claim>`, `token:<name>`, or `anonymous`. */
  readonly name: string;
  /** Empty: it belongs to none. */
  readonly tenant: string;
  readonly groups: readonly string[];
  readonly kind: "certificate" | "jwt" | "token" | "anonymous";
  /** ms since 1970 at which its credential runs out; undefined: never. */
  readonly expiresAt: bigint | undefined;
  /** The text claims of its credential, by name; empty where it has none. */
  readonly claims: Readonly<Record<string, string>>;
}

/** The caller of a call without a credential, and of each call while nobody is asked for one. */
export const ANONYMOUS: Caller = {
  name: ANONYMOUS_CALLER,
  tenant: "",
  groups: [],
  kind: "anonymous",
  expiresAt: undefined,
  claims: {},
};
