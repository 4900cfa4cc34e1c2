/** A server with this remembers no token that a withdrawn key has signed, and lets its streams go on. */

import type { Bug } from "../bug.ts";

export const KEYS_ARE_FORGOTTEN_ALONE: Bug = {
  file: "src/server/auth/create-authenticator.ts",
  find: 'live.review((caller) => caller.kind !== "jwt" || jwt.isKnown(credentialOf(caller)));',
  replace: "",
};
