import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli, startCli } from "../support/cli.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
const run = (...args: string[]) => cli(args, { address: service.address });
const start = (...args: string[]) => startCli(args, { address: service.address });

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

async function limiter(name: string, settings: object = { maxConcurrent: 1 }): Promise<string> {
  await service.client.limiters.create({ name, ...settings });
  return name;
}

describe("acquire", () => {
  it("says what was granted, and gives it back at once", async () => {
    const gate = await limiter("gate", { maxConcurrent: 3, maxRps: 1000 });
    const { code, stdout, stderr } = await run("acquire", gate, "--permits", "2", "--tokens", "3", "--slots");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^granted: gate, 2 permits, 3 tokens, fencing token \d+, slots 0,1; lease \S+\n$/);
    expect((await service.client.limiters.get(gate)).status.leases).toBe(0);
  });

  it("waits its turn, and shows its place when asked to", async () => {
    const busy = await limiter("busy");
    const lease = await service.client.acquire(busy);
    await using waiting = start("acquire", busy, "--verbose");
    await waiting.until("stderr", "waiting for busy: next in the queue");
    await lease.release();
    const { code, stdout } = await waiting.result;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^granted: busy, /);
  });

  it("is silent while it waits where there is no terminal", async () => {
    const quiet = await limiter("quiet");
    const lease = await service.client.acquire(quiet);
    await using waiting = start("acquire", quiet);
    await service.untilWaiting(quiet, 1);
    await lease.release();
    expect(await waiting.result).toMatchObject({ code: 0, stderr: "" });
  });

  it("exits with 1 when it has waited long enough, and charges nothing", async () => {
    const full = await limiter("full");
    await using _ = await service.client.acquire(full);
    for (const wait of ["0", "50ms"]) {
      const { code, stdout, stderr } = await run("acquire", full, "--max-wait", wait);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(wait === "0" ? "(CONCURRENCY_EXHAUSTED" : "(WAIT_TIMEOUT");
    }
    expect((await service.client.limiters.get(full)).status).toMatchObject({ leases: 1, waiters: 0 });
  });

  it("exits with 4 where there is no such limiter, and with 5 where it would never be granted", async () => {
    const small = await limiter("small");
    expect((await run("acquire", "none")).code).toBe(4);
    expect((await run("acquire", small, "--permits", "2")).code).toBe(5);
  });

  it("leaves the queue when a signal ends it", async () => {
    const left = await limiter("left");
    await using _ = await service.client.acquire(left);
    await using waiting = start("acquire", left);
    await service.untilWaiting(left, 1);
    waiting.kill("SIGTERM");
    expect(await waiting.result).toEqual({ code: 143, stdout: "", stderr: "" });
    await service.untilWaiting(left, 0);
  });

  it("tells a script each thing that happens, but not the secret", async () => {
    const scripted = await limiter("scripted");
    const lease = await service.client.acquire(scripted);
    await using waiting = start("--json", "acquire", scripted, "--hold", "--holder", "ci");
    await waiting.until("stdout", '"waiting"');
    await lease.release();
    await waiting.until("stdout", '"granted"');
    const [held] = await service.leases(scripted);
    await service.client.limiters.revokeLease(held?.id ?? "", { message: "please" });
    await waiting.until("stdout", '"revoking"');
    waiting.kill("SIGINT");
    const { code, stdout } = await waiting.result;
    expect(code).toBe(0);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.at(0)).toEqual({ waiting: expect.anything() });
    expect(events.at(-3)).toEqual({
      granted: {
        lease: {
          id: held?.id,
          holder: "ci",
          claims: [{ limiter: scripted, permits: 1, fencingToken: held?.claims[0]?.fencingToken.toString() }],
          grantTime: expect.any(String),
        },
      },
    });
    expect(events.at(-2)).toEqual({ revoking: { endTime: expect.any(String), message: "please" } });
    expect(events.at(-1)).toEqual({ end: "LEASE_END_RELEASED" });
  });
});

describe("acquire --hold", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("holds until %s, and gives it back", async (signal) => {
    const held = await limiter(`held-${signal}`);
    await using holding = start("acquire", held, "--hold");
    await holding.until("stderr", "holding; Ctrl-C gives it back");
    await service.untilHeld(held, 1);
    holding.kill(signal);
    expect(await holding.result).toMatchObject({ code: 0 });
    expect((await service.client.limiters.get(held)).status.leases).toBe(0);
  });

  it("holds until a piped standard input ends", async () => {
    const piped = await limiter("piped");
    await using holding = startCli(["acquire", piped, "--hold"], { address: service.address, input: "pipe" });
    await holding.until("stdout", "granted");
    await service.untilHeld(piped, 1);
    holding.closeInput();
    expect((await holding.result).code).toBe(0);
  });

  it("holds no longer than --for says", async () => {
    const brief = await limiter("brief");
    await using holding = start("acquire", brief, "--for", "300ms");
    await service.untilHeld(brief, 1);
    expect((await holding.result).code).toBe(0);
    expect((await service.client.limiters.get(brief)).status.leases).toBe(0);
  });

  it("exits with 6 when the lease is lost", async () => {
    const lost = await limiter("lost");
    await using holding = start("acquire", lost, "--hold");
    await holding.until("stdout", "granted");
    const [lease] = await service.leases(lost);
    await service.client.limiters.revokeLease(lease?.id ?? "", { force: true });
    const { code, stderr } = await holding.result;
    expect(code).toBe(6);
    expect(stderr).toContain(`backpressure: lease ${lease?.id} is lost: `);
    expect(stderr).toContain("(LEASE_REVOKED)");
  });

  it("has nothing to hold of a limiter with a rate limit alone", async () => {
    const rate = await limiter("rate", { maxRps: 1000 });
    const { code, stderr } = await run("acquire", rate, "--hold");
    expect(code).toBe(0);
    expect(stderr).toBe("it holds no permits, so there is nothing to hold on to\n");
  });
});

describe("try", () => {
  it("takes what is there, and gives it back", async () => {
    const free = await limiter("free");
    expect(await run("try", free)).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^granted: free, 1 permit, fencing token \d+; lease \S+\n$/),
      stderr: "",
    });
    expect((await service.client.limiters.get(free)).status.leases).toBe(0);
  });

  it("says why not, and when, and exits with 1", async () => {
    const slow = await limiter("slow", { maxRps: 0.01, burstSize: 1 });
    expect((await run("try", slow)).code).toBe(0);
    const refused = await run("try", slow);
    expect(refused).toMatchObject({ code: 1, stderr: "" });
    expect(refused.stdout).toMatch(/^refused: .*slow.* \(RATE_EXHAUSTED\); try again in 1m\d\ds\n$/);
    const inJson = await run("--json", "try", slow);
    expect(inJson).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(inJson.stdout).refused).toMatchObject({
      reason: "REASON_RATE_EXHAUSTED",
      limiter: slow,
      retryAfter: expect.stringMatching(/^9\d(\.\d+)?s$/),
    });
  });

  it("overtakes no waiter", async () => {
    const queue = await limiter("queue", { maxConcurrent: 2 });
    await using _ = await service.client.acquire(queue);
    const large = service.client.acquire(queue, { permits: 2, maxWait: 60_000 });
    large.catch(() => {});
    await service.untilWaiting(queue, 1);
    const { code, stdout } = await run("try", queue);
    expect(code).toBe(1);
    expect(stdout).toContain("(WAITERS_AHEAD); 1 waiting");
  });
});
