/** The version of the package that this server is part of. */

import { readFileSync } from "node:fs";

/** Read at the start: an update of the package under a running server changes nothing of what runs. */
export const VERSION: string = readVersion();

function readVersion(): string {
  // The same way leads there from the sources and from the program's bundle.
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
