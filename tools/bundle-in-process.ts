/**
 * Bundles the in-process limiter into one module, so that its import loads a handful of files and no package. The errors stay
 * outside: `AdmissionError` is one class, whichever of the package's entries it is imported from.
 */

import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export async function bundleInProcess(outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["src/in-process/index.ts"],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    plugins: [sharedErrors],
    metafile: true,
  });
  return metafile;
}

const sharedErrors: Plugin = {
  name: "shared-errors",
  setup({ onResolve }) {
    onResolve({ filter: /\/errors\.ts$/ }, () => ({ path: "../client/api/errors.js", external: true }));
  },
};
