import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { NODE_FLAGS } from "../../support/node-flags.ts";
import { type Service, startService } from "../support/service.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const run = promisify(execFile);

let folder: string;
let service: Service | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backpressure-built-"));
  copyFileSync(join(ROOT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  await run(process.execPath, [join(ROOT, "tools/build.ts"), "--out", join(folder, "dist")]);
  service = await startService("limiters: [{ name: gpu, max_concurrent: 1 }]");
}, 120_000);
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe("the command line as it is shipped", () => {
  it.each([
    [["limiters"], /^gpu /m],
    [["leases", "--json"], /"leases":\[\]/],
    [["run", "gpu", "--", "echo", "hello"], /^hello$/m],
    [["limiters", "set", "db", "--max-concurrent", "2"], /^created db$/m],
    [["board", "create", "release"], /^created release: /m],
    [["check", join(ROOT, "docker/backpressure.yaml")], / is valid: /],
    [["--version"], /^\d+\.\d+\.\d+$/m],
  ])("loads what each command needs: %j", async (args, stdout) => {
    const env = { ...process.env, BACKPRESSURE_ADDRESS: service?.address };
    const built = await run(process.execPath, [join(folder, "dist/cli/main.js"), ...args], { env });
    expect(built.stdout).toMatch(stdout);
  });
});

test("the image runs Node with the flags of `npm start`", () => {
  const image = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const [, command] = image.match(/^ENTRYPOINT (.*)$/m) ?? [];
  expect(JSON.parse(command ?? "")).toEqual(["node", ...NODE_FLAGS, "dist/cli/main.js"]);
});
