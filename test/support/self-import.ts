/** Preloaded with `node --import`: the package's own name leads to its sources, so that it need not be built. */

import { registerHooks } from "node:module";

const SOURCES: Readonly<Record<string, string>> = {
  "ggen-backpressure": new URL("../../src/client/index.ts", import.meta.url).href,
  "ggen-backpressure/in-process": new URL("../../src/in-process/index.ts", import.meta.url).href,
  "ggen-backpressure/express": new URL("../../src/middleware/express.ts", import.meta.url).href,
  // What a reader of the docs has installed.
  express: import.meta.resolve("express"),
  "@opentelemetry/api": import.meta.resolve("@opentelemetry/api"),
};

registerHooks({
  resolve: (specifier, context, nextResolve) => nextResolve(SOURCES[specifier] ?? specifier, context),
});
