/** The flags for Node itself with which people start the server, from where they stand. */

import manifest from "../../package.json" with { type: "json" };

/** `node`, its flags, the script and its arguments. */
const [, ...words] = manifest.scripts.start.split(" ");

export const NODE_FLAGS: readonly string[] = words.filter((word) => word.startsWith("--"));
