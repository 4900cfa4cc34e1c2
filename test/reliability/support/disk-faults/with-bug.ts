/** Loaded into a server, and by that into its thread that writes: its sources with what `DISK_FAULTS_BUGS` names put in. */

import { registerHooks } from "node:module";
import { BUGS, type Bug, type BugName } from "./bugs.ts";

const names = JSON.parse(process.env.DISK_FAULTS_BUGS ?? "[]") as readonly BugName[];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const bugs = names.map((name): Bug => BUGS[name]).filter(({ file }) => url.endsWith(file));
    if (bugs.length === 0) return loaded;
    return { ...loaded, source: bugs.reduce(put, String(loaded.source)) };
  },
});

function put(source: string, { file, find, replace }: Bug): string {
  if (source.split(find).length !== 2) throw new Error(`${file} does not have this once: ${find}`);
  return source.replace(find, () => replace);
}
