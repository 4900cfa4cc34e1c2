import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServerProcess } from "../../support/server-process.ts";
import { cli, startCli } from "../support/cli.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "backpressure-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("check", () => {
  it("says that a configuration is valid, and how many limiters it declares", async () => {
    const path = file("good.yaml", "limiters:\n  - { name: gpu, max_concurrent: 4 }\n");
    expect(await cli(["check", path])).toEqual({ code: 0, stdout: `${path} is valid: 1 limiter\n`, stderr: "" });
    expect(JSON.parse((await cli(["check", path, "--json"])).stdout)).toEqual({
      valid: true,
      limiters: ["gpu"],
      notes: [],
    });
  });

  it("says where each problem stands, and exits with 1", async () => {
    const path = file("bad.yaml", "limiters:\n  - name: gpu\n    max_concurent: 4\n");
    const { code, stdout, stderr } = await cli(["check", path]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^${path}:3:5: limiters\\[0\\]\\.max_concurent: .*max_concurrent`, "m"));
    const inJson = JSON.parse((await cli(["check", path, "--json"])).stdout);
    expect(inJson.valid).toBe(false);
    expect(inJson.problems[0]).toMatchObject({
      place: { path, line: 3, column: 5 },
      field: "limiters[0].max_concurent",
    });
  });

  it("names what is valid and has no effect, and exits with 0; the server says the same", async () => {
    const yaml = `listeners: { cors_headers: [x-mine] }
store: { leases: disk, max_megabytes: 5 }
boards:
  - { name: b, stages: [{ name: A }, { name: B, limiter: gpu }, { name: C }] }
`;
    const path = file("idle.yaml", yaml);
    const { code, stderr } = await cli(["check", path]);
    expect(code).toBe(0);
    expect(stderr.split("\n").map((line) => line.slice(path.length + 1))).toEqual([
      "1:14: listeners.cors_headers: has no effect without listeners.cors_origins: no page of another origin may call the web port",
      "2:10: store.leases: has no effect without store.folder: nothing is kept",
      "2:24: store.max_megabytes: has no effect without store.folder: nothing is kept",
      '4:49: boards[0].stages[1].limiter: names a limiter that the file does not declare: until "gpu" is made by RPC, the stage cannot be pulled into',
      "",
    ]);
    expect(JSON.parse((await cli(["check", path, "--json"])).stdout).notes).toHaveLength(4);
    const whole = `${yaml}limiters: [{ name: gpu, max_concurrent: 1 }]\n`.replace(
      "listeners: { cors_headers: [x-mine] }\n",
      "",
    );
    await using server = await startServerProcess(whole);
    expect(await server.logged(/has no effect/)).toMatchObject({ level: 40, field: "store.leases" });
    server.configure(`${whole}drain: { timeout: 1s }\n`);
    await server.logged(/has changed/);
    expect(await server.logged(/has no effect/)).toMatchObject({ field: "store.leases" });
  });

  it("refuses a stage whose limiter is keyed, since a puller has no key", async () => {
    const path = file(
      "keyed.yaml",
      `limiters: [{ name: gpu, keyed: true, max_concurrent: 1 }]
boards: [{ name: b, stages: [{ name: A }, { name: B, limiter: gpu }, { name: C }] }]
`,
    );
    const { code, stderr } = await cli(["check", path]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `${path}:2:54: boards[0].stages[1].limiter: must be a limiter without keys, and "gpu" is keyed\n`,
    );
  });

  it("says that there is no such file", async () => {
    const path = join(folder, "none.yaml");
    expect(await cli(["check", path])).toEqual({ code: 1, stdout: "", stderr: `${path}: there is no such file\n` });
  });
});

describe("serve", () => {
  it("serves until it is asked to stop, and lets holders give back first", async () => {
    await using server = await startServerProcess("limiters: [{ name: gpu, max_concurrent: 1 }]");
    await using holding = startCli(["acquire", "gpu", "--hold", "-v"], { address: server.address });
    await holding.until("stdout", "granted");
    server.signal("SIGTERM");
    await holding.until("stderr", "the server is about to stop; it waits for its leases until ");
    holding.kill("SIGINT");
    expect(await holding.result).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("the lease has ended: released\n"),
    });
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });

  it("waits no longer than `drain.timeout`, and remaining holders lose their leases", async () => {
    const yaml = "limiters: [{ name: gpu, max_concurrent: 1 }]\ndrain: { timeout: 0.3s }\n";
    await using server = await startServerProcess(yaml);
    await using holding = startCli(["acquire", "gpu", "--hold"], { address: server.address });
    await holding.until("stdout", "granted");
    server.signal("SIGTERM");
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(await holding.result).toMatchObject({ code: 6, stderr: expect.stringContaining("is lost: ") });
  });

  it("does not start with a configuration that is wrong", async () => {
    const path = file("wrong.yaml", "limiters: [{ name: gpu }]\n");
    const { code, stdout, stderr } = await cli(["serve", "--config", path]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(
      `${path}:1:12: limiters[0]: a limiter needs a rate (rate or max_rps), max_concurrent or both`,
    );
  });
});

describe("health, as the image asks it", () => {
  /** The words of the Dockerfile's HEALTHCHECK behind the program. */
  const words: string[] = JSON.parse(
    /^HEALTHCHECK .*CMD (\[.*\])$/m.exec(readFileSync("Dockerfile", "utf8"))?.[1] ?? "[]",
  ).slice(2);

  it.each([
    ["of all IPv4 interfaces, in the file", (port: number) => ({ listen: `0.0.0.0:${port}`, env: {} })],
    ["of all IPv6 interfaces, in the file", (port: number) => ({ listen: `[::]:${port}`, env: {} })],
    [
      "that a variable of the file brings",
      (port: number) => ({ listen: `127.0.0.1:\${PORT}`, env: { PORT: `${port}` } }),
    ],
    [
      "that the environment says instead of the file",
      (port: number) => ({ listen: "127.0.0.1:1", env: { BACKPRESSURE_GRPC_LISTEN: `127.0.0.1:${port}` } }),
    ],
  ])("finds the port %s", async (_what, configured) => {
    // Some port that is free now: the server itself says which.
    let port = 0;
    {
      await using probe = await startServerProcess("");
      port = Number(probe.address.split(":").at(-1));
    }
    const { listen, env } = configured(port);
    const path = file("health.yaml", `listeners: { grpc: "${listen}", web: "127.0.0.1:0" }\nallow_anonymous: true\n`);
    const variables = { BACKPRESSURE_CONFIG: path, ...env };
    const [, command = ""] = [words.length, words[0]];
    expect(command).toBe("health");
    expect(await cli(words, { address: "", env: variables })).toMatchObject({ code: 3 });
    await using server = startCli(["serve"], { address: "", env: variables });
    await server.until("stdout", "serves gRPC on");
    expect(await cli(words, { address: "", env: variables })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`:${port}: serving`),
    });
  });
});
