/** The garbage collector, when it is wanted. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc: NodeJS.GCFunction = runInNewContext("gc");

/** Moves what was made before a measurement out of its way, so that only its own garbage is on its bill. */
export function tenure(): void {
  // What has outlived two collections is old.
  gc({ type: "minor" });
  gc({ type: "minor" });
}

/** Collects all that can be collected, and gives back the free pages that V8 keeps for what comes next. */
export function collect(): void {
  gc({ type: "major", flavor: "last-resort" });
  gc({ type: "major", flavor: "last-resort" });
}
