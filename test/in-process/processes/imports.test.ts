import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { bundleInProcess } from "../../../tools/bundle-in-process.ts";

test("its import loads at most 15 modules of the package, none of another package, and nothing of Node", async () => {
  const folder = await mkdtemp(join(tmpdir(), "in-process-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const limiter = await bundleInProcess(join(folder, "index.js"));
  const inputs = Object.values(limiter.inputs).flatMap(({ imports }) => imports);
  const outside = new Set(inputs.filter(({ external }) => external === true).map(({ path }) => path));
  expect(outside).toEqual(new Set(["../client/api/errors.js"]));
  expect(Object.keys(limiter.inputs).filter((path) => path.includes("node_modules"))).toEqual([]);
  // The errors are loaded as the modules that they are.
  const errors = await build({
    entryPoints: ["src/client/api/errors.ts"],
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
    metafile: true,
  });
  expect(Object.keys(errors.metafile.inputs).length + 1).toBeLessThanOrEqual(15);
});
