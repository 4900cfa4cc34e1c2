/** A bug that shows only where a network goes away without a word. */

import type { Bug } from "../bug.ts";

/** What a request with `keep_on_cancel` holds needs no renewals while its stream is open. */
export const STREAMS_ARE_LIFE: Bug = {
  file: "src/server/machine/liveness.ts",
  find: "(attachment.monitored && !keepsOnCancel)",
  replace: "attachment.monitored",
};
