import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli, startCli } from "../support/cli.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
const run = (...args: string[]) => cli(args, { address: service.address });

beforeAll(async () => {
  service = await startService("limiters: [{ name: declared, max_concurrent: 3 }]");
});
afterAll(() => service[Symbol.asyncDispose]());

describe("limiters set", () => {
  it("creates a limiter, changes it, and says which it did", async () => {
    expect(await run("limiters", "set", "a", "--max-concurrent", "4", "--ttl", "2m30s")).toEqual({
      code: 0,
      stdout: "created a\n",
      stderr: "",
    });
    expect((await run("limiters", "set", "a", "--max-rps", "12.5", "--no-trust-cancel")).stdout).toBe("changed a\n");
    expect((await run("limiters", "set", "a", "--max-rps", "12.5")).stdout).toBe("a is unchanged\n");
    expect(await service.client.limiters.get("a")).toMatchObject({
      maxConcurrent: 4,
      maxRps: 12.5,
      ttl: 150_000,
      trustCancel: false,
    });
  });

  it("takes a setting back to its default", async () => {
    await service.client.limiters.create({ name: "b", maxConcurrent: 1, ttl: 5000, maxWaiters: 7 });
    expect((await run("limiters", "set", "b", "--unset", "ttl", "max_waiters", "--max-concurrent", "2")).code).toBe(0);
    expect(await service.client.limiters.get("b")).toMatchObject({ maxConcurrent: 2, ttl: 30_000, maxWaiters: 10_000 });
  });

  it("creates only, or updates only, with the option for it", async () => {
    expect(await run("limiters", "set", "c", "--max-concurrent", "1", "--update-only")).toMatchObject({
      code: 4,
      stdout: "",
    });
    expect(await run("limiters", "set", "c", "--max-concurrent", "1", "--create-only")).toMatchObject({ code: 0 });
    const { code, stderr } = await run("limiters", "set", "c", "--max-concurrent", "2", "--create-only");
    expect(code).toBe(5);
    expect(stderr).toContain("(LIMITER_EXISTS)");
    expect((await service.client.limiters.get("c")).maxConcurrent).toBe(1);
  });

  it("refuses to make a limiter keyed after the fact, and changes nothing then", async () => {
    await service.client.limiters.create({ name: "d", maxConcurrent: 1 });
    expect(await run("limiters", "set", "d", "--keyed", "--max-concurrent", "9")).toMatchObject({
      code: 2,
      stdout: "",
    });
    expect((await service.client.limiters.get("d")).maxConcurrent).toBe(1);
    expect(await run("limiters", "set", "keyed", "--keyed", "--max-concurrent", "9")).toMatchObject({ code: 0 });
  });

  it("passes on which rules a request breaks", async () => {
    const { code, stderr } = await run("limiters", "set", "no name", "--burst-size", "5");
    expect(code).toBe(2);
    expect(stderr).toContain("(INVALID_REQUEST)\n");
    expect(stderr).toContain("\n  limiter.name: must be letters");
    expect(stderr).toContain("\n  limiter: burst_size needs rate or max_rps\n");
  });

  it("is refused when another change was faster", async () => {
    const { etag } = await service.client.limiters.create({ name: "e", maxConcurrent: 1 });
    await service.client.limiters.update("e", { maxConcurrent: 2 });
    const { code, stderr } = await run("limiters", "set", "e", "--max-concurrent", "3", "--etag", etag);
    expect(code).toBe(5);
    expect(stderr).toContain("(ETAG_MISMATCH)");
  });
});

describe("limiters", () => {
  it("lists what goes on, as a table and as the contract's JSON", async () => {
    await using holder = await service.client.acquire("declared", { permits: 2 });
    const [heading, ...rows] = (await run("limiters")).stdout.split("\n");
    expect((await run("limiters", "list")).stdout).toMatch(/^declared /m);
    expect(heading).toMatch(/^LIMITER +IN USE +RATE +WAITING +λ\/s +μ\/s +P99 WAIT +STATE$/);
    expect(rows.find((row) => row.startsWith("declared "))).toMatch(
      / 2\/3 {2}█████░░░ +- +0 +\S+ +\S+ +\S+ {2}active$/,
    );

    const { limiters } = JSON.parse((await run("--json", "limiters")).stdout);
    const declared = limiters.find(({ name }: { name: string }) => name === "declared");
    expect(declared).toMatchObject({
      maxConcurrent: 3,
      paused: false,
      state: "LIMITER_STATE_ACTIVE",
      status: { permitsInUse: "2", permitsLimit: "3", waiters: "0" },
    });
    await holder.release();
  });

  it("shows one in full", async () => {
    await service.client.limiters.create({ name: "f", maxRps: 20, burstSize: 5, description: "the partner's\nAPI" });
    const { stdout } = await run("limiters", "get", "f");
    expect(stdout).toMatch(/^limiter +f$/m);
    expect(stdout).toMatch(/^state +active, made by request$/m);
    expect(stdout).toMatch(/^tokens available +5$/m);
    expect(stdout).toMatch(/^description +the partner's\\u000aAPI$/m);
    expect(stdout).toMatch(/^rate +20\/s$/m);
    expect(stdout).not.toContain("permits in use");
    expect(JSON.parse((await run("limiters", "get", "f", "--json")).stdout).limiter.burstSize).toBe(5);
  });

  it("says so when there is none of that name", async () => {
    const { code, stdout, stderr } = await run("limiters", "get", "none", "--json");
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(JSON.parse(stderr).error.reason).toBe("LIMITER_NOT_FOUND");
  });

  it("are paused and resumed", async () => {
    await service.client.limiters.create({ name: "g", maxConcurrent: 1 });
    expect((await run("limiters", "pause", "g")).stdout).toBe("g is paused: 0 waiting, 0 holding\n");
    expect((await service.client.limiters.get("g")).paused).toBe(true);
    expect(JSON.parse((await run("limiters", "resume", "g", "--json")).stdout).limiter.paused).toBe(false);
  });

  it("are deleted, or drain first, or go by force", async () => {
    for (const name of ["h", "i"]) await service.client.limiters.create({ name, maxConcurrent: 2 });
    expect((await run("limiters", "delete", "h")).stdout).toBe("deleted h\n");
    const lease = await service.client.acquire("i");
    expect((await run("limiters", "delete", "i")).stdout).toBe("i is being deleted: 1 lease still to end\n");
    expect((await run("limiters")).stdout).toMatch(/^i .* deleting$/m);
    await lease.release();
    expect((await run("limiters")).stdout).not.toMatch(/^i /m);
  });

  it("that the file declares stay", async () => {
    const { code, stderr } = await run("limiters", "delete", "declared");
    expect(code).toBe(5);
    expect(stderr).toContain("(DECLARED)");
  });
});

describe("limiters watch", () => {
  it("says what there is, then what changes, one JSON object a line, until it is interrupted", async () => {
    await service.client.limiters.create({ name: "w", maxConcurrent: 1 });
    await using watch = startCli(["--json", "limiters", "watch", "w"], { address: service.address });
    await watch.until("stdout", '"snapshot"');
    await service.client.limiters.pause("w");
    await watch.until("stdout", '"paused":true');
    await service.client.limiters.delete("w");
    await watch.until("stdout", '"removed":"w"');
    watch.kill("SIGINT");
    const { code, stdout, stderr } = await watch.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const line of stdout.trimEnd().split("\n")) expect(Object.keys(JSON.parse(line))).toHaveLength(1);
  });

  it("prints a line for each change where there is no terminal", async () => {
    await service.client.limiters.create({ name: "x", maxConcurrent: 2 });
    await using watch = startCli(["limiters", "watch", "x"], { address: service.address });
    await watch.until("stdout", "x: 0/2 in use, 0 waiting, λ 0/s, μ 0/s, active\n");
    await service.client.limiters.pause("x");
    await watch.until("stdout", "paused\n");
  });

  it("ends when its output is no longer read", async () => {
    await service.client.limiters.create({ name: "y", maxConcurrent: 2 });
    await using watch = startCli(["limiters", "watch", "y"], { address: service.address });
    await watch.until("stdout", "y: ");
    watch.closeOutput();
    await service.client.limiters.pause("y");
    expect(await watch.result).toMatchObject({ code: 0, stderr: "" });
  });

  it("ends when the server does, and says so", async () => {
    await using short = await startService("limiters: [{ name: short, max_concurrent: 1 }]");
    await using watch = startCli(["limiters", "watch"], { address: short.address });
    await watch.until("stdout", "short: ");
    await short.stop();
    expect(await watch.result).toMatchObject({ code: 3, stderr: expect.stringContaining("cannot reach") });
  });
});
