/** Preloaded with `node --import`: the package's own name leads to its sources, so that it need not be built. */

import { registerHooks } from "node:module";

const SOURCES: Readonly<Record<string, string>> = {
  "ggen-backpressure": new URL("../../src/client/index.ts", import.meta.url).href,
  "ggen-backpressure/in-process": new URL("../../src/in-process/index.ts", import.meta.url).href,
};

registerHooks({
  resolve: (specifier, context, nextResolve) => nextResolve(SOURCES[specifier] ?? specifier, context),
});
