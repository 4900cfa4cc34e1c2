/** Imported into a server that shall have a bug (`node --import`): changes one file while it is loaded. */

import { registerHooks } from "node:module";
import type { Bug } from "./bugs.ts";

const { file, find, replace } = JSON.parse(new URL(import.meta.url).searchParams.get("bug") ?? "") as Bug;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/${file}`)) return loaded;
    const text = String(loaded.source);
    if (text.split(find).length !== 2) throw new Error(`${file} has not once: ${find}`);
    return { ...loaded, source: text.replace(find, () => replace) };
  },
});
