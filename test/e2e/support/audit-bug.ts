/** A server with this writes the lines of its audit file without waiting for one another. */

import type { Bug } from "../../reliability/support/bug.ts";

export const LINES_AT_ONCE: Bug = {
  file: "src/server/audit/audit-file.ts",
  find: "const written = last.then(() => add(event));",
  replace: "const written = add(event);",
};
