import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "../support/cli.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
const run = (...args: string[]) => cli(args, { address: service.address });

beforeAll(async () => {
  service = await startService(`
limiters:
  - { name: gpu, max_concurrent: 2 }
  - { name: db, max_concurrent: 4, keyed: true }
  - { name: idle, max_concurrent: 1 }
`);
});
afterAll(() => service[Symbol.asyncDispose]());

describe("leases", () => {
  it("shows holders and what they hold, the longest held first, of all limiters or of one and a key", async () => {
    const claims = [
      { limiter: "gpu", permits: 2 },
      { limiter: "db", key: "tenant-7" },
    ];
    await using both = await service.client.acquire(claims, { holder: "trainer" });
    await using one = await service.client.acquire("db", { key: "tenant-8", holder: "\u001b[31mred" });

    const [heading, first, second, ...others] = (await run("leases")).stdout.trimEnd().split("\n");
    expect(heading).toMatch(/^LEASE +HOLDER +HOLDS +TOKEN +STATE +HELD +ENDS IN$/);
    expect(first).toMatch(
      new RegExp(`^${both.id} +trainer +gpu ×2, db\\[tenant-7\\] +\\d+, \\d+ +attached +\\S+ +\\S+s$`),
    );
    expect(second).toMatch(new RegExp(`^${one.id} +\\\\u001b\\[31mred +db\\[tenant-8\\] `));
    expect(others).toEqual([]);

    const inJson = await run("--json", "leases", "--limiter", "db", "--key", "tenant-8");
    expect(JSON.parse(inJson.stdout).leases).toMatchObject([
      { id: one.id, holder: "\u001b[31mred", state: "LEASE_STATE_ATTACHED", ttl: "30s", revoking: false },
    ]);
  });

  it("says so when there are none, and leaves standard output to scripts", async () => {
    expect(await run("leases", "--limiter", "idle")).toEqual({
      code: 0,
      stdout: "",
      stderr: "No leases are held.\n",
    });
    expect(JSON.parse((await run("leases", "--limiter", "idle", "--json")).stdout).leases).toEqual([]);
  });

  it("reads every page", async () => {
    await service.client.limiters.create({ name: "many", maxConcurrent: 150 });
    const leases = await Promise.all(Array.from({ length: 150 }, () => service.client.acquire("many")));
    const { stdout } = await run("--json", "leases", "--limiter", "many");
    expect(JSON.parse(stdout).leases).toHaveLength(150);
    await Promise.all(leases.map((lease) => lease.release()));
  });
});

describe("waiters and cancel", () => {
  it("show the waiters, and take one out of the queue", async () => {
    await service.client.limiters.create({ name: "queue", maxConcurrent: 1 });
    await using _ = await service.client.acquire("queue");
    const first = service.client.acquire("queue", { holder: "first", maxWait: 60_000 });
    await service.untilWaiting("queue", 1);
    const second = service.client.acquire("queue", { holder: "second" });
    const outcomes = Promise.allSettled([first, second]);
    await service.untilWaiting("queue", 2);

    const lines = (await run("waiters", "queue")).stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^AHEAD +WAITER +HOLDER +WANTS +WAITED +ESTIMATE +GIVES UP IN$/);
    expect(lines[1]).toMatch(/^ {4}0 +\S+ +first +queue +\S+ +\S+ +\d+(\.\d)?s$/);
    expect(lines[2]).toMatch(/^ {4}1 +\S+ +second +queue +\S+ +\S+ +-$/);

    const { waiters } = JSON.parse((await run("waiters", "queue", "--json")).stdout);
    for (const { id } of waiters) {
      expect(await run("cancel", id)).toEqual({
        code: 0,
        stdout: `waiter ${id} is taken out of the queue\n`,
        stderr: "",
      });
    }
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { reason: "WAITER_CANCELLED" } });
    }
    expect(await run("waiters", "queue")).toMatchObject({ code: 0, stderr: "No waiters for queue.\n" });
  });

  it("say so where there is no such waiter or limiter", async () => {
    expect(await run("cancel", "none")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("(WAITER_NOT_FOUND)"),
    });
    expect(await run("waiters", "nothing")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("(LIMITER_NOT_FOUND)"),
    });
  });
});

describe("revoke", () => {
  it("asks for a lease back, and says until when its holder has it", async () => {
    const asked = Promise.withResolvers<string>();
    const onRevoking = ({ message }: { message: string }) => asked.resolve(message);
    await using lease = await service.client.acquire("gpu", { holder: "trainer", onRevoking });
    const { code, stdout } = await run("revoke", lease.id, "-m", "upgrade");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^lease ${lease.id} is asked back of trainer: it ends by \\d\\d:\\d\\d:\\d\\d, in \\S+\\n$`),
    );
    expect(await asked.promise).toBe("upgrade");
    expect((await run("leases", "--limiter", "gpu")).stdout).toMatch(/ revoking +\S+ +\d+(\.\d+)?s$/m);
  });

  it("takes it at once by force, and says how one had ended that is gone", async () => {
    const lease = await service.client.acquire("gpu");
    expect((await run("revoke", lease.id, "--force")).stdout).toBe(`lease ${lease.id} has ended: revoked\n`);
    const released = await service.client.acquire("gpu");
    await released.release();
    const again = await run("revoke", released.id, "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toEqual({ end: "LEASE_END_RELEASED" });
  });

  it("says so where there is no such lease", async () => {
    expect(await run("revoke", "nobodys")).toMatchObject({
      code: 4,
      stdout: "",
      stderr: expect.stringContaining("(LEASE_NOT_FOUND)"),
    });
  });
});

describe("health", () => {
  it("exits with 0 while the server serves", async () => {
    expect(await run("health")).toEqual({ code: 0, stdout: `${service.address}: serving\n`, stderr: "" });
    const one = await run("health", "ggen.backpressure.v1.AdmissionService", "--json");
    expect(JSON.parse(one.stdout)).toEqual({ status: "SERVING" });
  });
});
