import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/server/config/config.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test.each(["docker/backpressure.yaml", ...globSync("examples/**/*.yaml", { cwd: ROOT, exclude: ["**/buf.gen.yaml"] })])(
  "the server takes %s",
  (path) => {
    expect(loadConfig({ path: `${ROOT}/${path}`, overrides: [] })).toMatchObject({ kind: "loaded" });
  },
);
