/** Imported into a server that shall have bugs (`bug.ts`), and by that into its threads: changes files while they are loaded. */

import { registerHooks } from "node:module";
import type { Bug } from "./bug.ts";

const bugs = JSON.parse(new URL(import.meta.url).searchParams.get("bugs") ?? "") as readonly Bug[];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const own = bugs.filter(({ file }) => url.endsWith(`/${file}`));
    return own.length === 0 ? loaded : { ...loaded, source: own.reduce(put, String(loaded.source)) };
  },
});

function put(source: string, { file, find, replace }: Bug): string {
  if (source.split(find).length !== 2) throw new Error(`${file} does not have this once: ${find}`);
  return source.replace(find, () => replace);
}
