/** The contract is compared with the one that was released, which the tree brings along: in a clean clone, too, a break is found. */

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const LIMITER = "proto/ggen/backpressure/v1/limiter.proto";
const SERVICE = "proto/ggen/backpressure/v1/limiter_service.proto";

/** Runs `npm run check:breaking` in a copy, in which `change` was made to one file; resolves with what it found. */
async function check(path: string, change: (text: string) => string): Promise<{ passed: boolean; found: string }> {
  const copy = mkdtempSync(join(tmpdir(), "backpressure-contract-"));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  for (const part of ["proto", "vendor", "buf.yaml", "package.json", "tools/released-contract.binpb"]) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  const text = readFileSync(join(ROOT, path), "utf8");
  const changed = change(text);
  writeFileSync(join(copy, path), changed);
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const env = { ...process.env, PATH: [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter) };
  return new Promise((resolve) => {
    execFile("sh", ["-c", scripts["check:breaking"]], { cwd: copy, env }, (error, stdout, stderr) =>
      resolve({ passed: error === null, found: stdout + stderr }),
    );
  });
}

test("the contract as it stands breaks nothing, and neither does a field more", async () => {
  expect(await check(LIMITER, (text) => text)).toEqual({ passed: true, found: "" });
  const added = await check(LIMITER, (text) => text.replace("message Limiter {", "$& bool fresh = 1000;"));
  expect(added).toEqual({ passed: true, found: "" });
});

test.each([
  ["a field that has another number", LIMITER, /\bmax_concurrent = \d+/, "max_concurrent = 999", /"max_concurrent"/],
  ["a field that has another name", LIMITER, / max_concurrent = /, " most_at_once = ", /"max_concurrent"/],
  ["a service that is gone", SERVICE, /service LimiterService/, "service Others", /"LimiterService"/],
  ["a call that is gone", SERVICE, /rpc DeleteLimiter/, "rpc DropLimiter", /"DeleteLimiter"/],
])("the control: %s is found", async (_what, path, from, to, found) => {
  const outcome = await check(path, (text) => {
    expect(text).toMatch(from);
    return text.replace(from, to);
  });
  expect(outcome).toEqual({ passed: false, found: expect.stringMatching(found) });
});
