/** `backpressure access`, `token` and `audit verify`, which ask no server. */

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAuditFile } from "../../../src/server/audit/audit-file.ts";
import { parseConfig } from "../../../src/server/config/config.ts";
import { cli } from "../support/cli.ts";

const YAML = `
limiters: [{ name: payments-db, max_concurrent: 1 }, { name: tenants, keyed: true, max_concurrent: 1 }]
boards: [{ name: releases }]
auth: { tokens: [{ name: ci, sha256: ["${"0".repeat(64)}"] }] }
access:
  - { who: ["spiffe://prod.example/ns/billing/*"], may: [acquire, observe], limiters: ["payments-*"] }
  - { who: ["k8s:*"], may: [acquire], limiters: [tenants], keys: ["\${tenant}", "\${tenant}/*"] }
  - { who: ["group:sre"], may: [acquire, observe, operate], limiters: ["*"], boards: ["*"] }
`;

let folder: string;
let config: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "backpressure-access-"));
  config = join(folder, "backpressure.yaml");
  writeFileSync(config, YAML);
});
afterAll(() => rmSync(folder, { recursive: true }));

const BILLING = "spiffe://prod.example/ns/billing/api";

describe("access", { timeout: 60_000 }, () => {
  it.each([
    [
      `${BILLING} acquire payments-db`,
      0,
      /^yes, .* may acquire payments-db: access\[0\] of \S+ says so \(who: spiffe:/,
    ],
    [`${BILLING} operate payments-db`, 1, /^no, none of its 3 entries says that .* may operate payments-db$/m],
    ["spiffe://prod.example/ns/shipping/api acquire payments-db", 1, /^no, /],
    ["k8s:app acquire tenants --key acme/42 --tenant acme", 0, /access\[1\]/],
    ["k8s:app acquire tenants --key other/42 --tenant acme", 1, /^no, /],
    ["k8s:app acquire tenants --key acme/42", 1, /^no, /],
    ["token:ann operate board/releases --group sre dev", 0, /access\[2\]/],
    ["token:ann operate board/releases --group dev", 1, /^no, /],
    ["anonymous observe payments-db", 1, /^no, /],
  ])("answers %s with %i", async (words, code, said) => {
    expect(await cli(["access", ...words.split(" "), "--config", config])).toEqual({
      code,
      stdout: expect.stringMatching(said),
      stderr: "",
    });
  });

  it("answers scripts in JSON", async () => {
    const { stdout } = await cli(["--json", "access", BILLING, "observe", "payments-db", "--config", config]);
    expect(JSON.parse(stdout)).toEqual({ allowed: true, entry: 0 });
  });

  it.each([
    ["a verb that there is not", ["token:ci", "delete", "payments-db"], /acquire, observe, operate/],
    ["no name", ["token:ci", "operate"], /missing required argument 'name'/],
    ["a claim without a value", ["token:ci", "operate", "payments-db", "--claim", "team"], /NAME=VALUE/],
  ])("refuses %s with 2", async (_, words, said) => {
    expect(await cli(["access", ...words, "--config", config])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(said),
    });
  });

  it("refuses to answer without a file, and for one that is not valid", async () => {
    const words = ["access", "token:ci", "operate", "payments-db"];
    const env = { BACKPRESSURE_CONFIG: "" };
    expect(await cli(words, { env })).toMatchObject({ code: 2, stderr: expect.stringMatching(/BACKPRESSURE_CONFIG/) });
    const broken = join(folder, "broken.yaml");
    writeFileSync(broken, YAML.replace("may: [acquire]", "may: [rule]"));
    expect(await cli([...words, "--config", broken])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/not valid/),
    });
  });
});

describe("token", { timeout: 60_000 }, () => {
  it("prints the token alone, and beside it the entry by which the server's file knows it", async () => {
    const { code, stdout, stderr } = await cli(["token", "ci"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^bp_ci_[\w-]{43}\n$/) });
    const sha256 = createHash("sha256").update(stdout.trim()).digest("hex");
    const reading = parseConfig(stderr, { path: undefined, overrides: [] });
    expect(reading).toMatchObject({ kind: "loaded" });
    expect(stderr).toContain(sha256);
    expect(stderr).not.toContain(stdout.trim());
  });

  it.each(["CI", "", "-ci", "a".repeat(64)])("refuses the name %j with 2", async (name) => {
    expect(await cli(["token", "--", name])).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("audit verify", { timeout: 60_000 }, () => {
  /** A file with three acts of operators. */
  async function written(): Promise<string> {
    const path = join(mkdtempSync(join(folder, "audit-")), "audit.jsonl");
    const file = await openAuditFile({ path, wallTime: () => 1_780_000_000_000 });
    for (const of of ["limiter/a", "limiter/b", "limiter/c"])
      await file.write({ event: "operate", caller: "token:ann", of });
    await file.close();
    return path;
  }

  it("says of a whole file how many lines it has, and the last one's SHA-256, with 0", async () => {
    const path = await written();
    const [last = ""] = readFileSync(path, "utf8").trimEnd().split("\n").slice(-1);
    const { code, stdout } = await cli(["audit", "verify", path]);
    const sha256 = createHash("sha256").update(last).digest("hex");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${path} is whole: 3 lines; the last is line 3 of the chain, its SHA-256 is ${sha256}\n`,
    });
  });

  it("names a line in which one byte was changed, with 1, also in JSON", async () => {
    const path = await written();
    writeFileSync(path, readFileSync(path, "utf8").replace("limiter/b", "limiter/x"));
    const { code, stdout } = await cli(["audit", "verify", path]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(new RegExp(`^${path}:2: `)) });
    const inJson = await cli(["--json", "audit", "verify", path]);
    expect({ ...inJson, stdout: JSON.parse(inJson.stdout) }).toMatchObject({
      code: 1,
      stdout: { kind: "broken", line: 2 },
    });
  });

  it("refuses a file that is not there with 2", async () => {
    expect(await cli(["audit", "verify", join(folder, "none.jsonl")])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/cannot be read: ENOENT/),
    });
  });
});
