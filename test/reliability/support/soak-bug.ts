/** A bug that leaks slowly: a soak must find it. */

import type { Bug } from "./bug.ts";

/** The time of a lease whose holder is lost does not run. */
export const NEVER_EXPIRES: Bug = {
  file: "src/server/machine/liveness.ts",
  find: "else state.deadlines.set(held, state.now + ttl);",
  replace: 'else if (attachment.kind !== "orphaned") state.deadlines.set(held, state.now + ttl);',
};
