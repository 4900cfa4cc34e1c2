import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "../support/cli.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
const run = (...args: string[]) => cli(args, { address: service.address });

beforeAll(async () => {
  service = await startService(`
limiters:
  - { name: gpu, max_concurrent: 1 }
  - { name: license, max_concurrent: 5 }
  - { name: tenants, max_concurrent: 1, keyed: true }
  - { name: paused, max_concurrent: 1, paused: true }
  - { name: idle, max_concurrent: 3 }
`);
});
afterAll(() => service[Symbol.asyncDispose]());

describe("explain", () => {
  it("says what holds the queue back, and what may be done", async () => {
    await using _ = await service.client.acquire("gpu", { holder: "trainer" });
    const giveUp = new AbortController();
    const waiting = service.client.acquire("gpu", { signal: giveUp.signal }).catch(() => {});
    await service.untilWaiting("gpu", 1);
    const { code, stdout } = await run("explain", "gpu");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^gpu\n {2}Full: 1 request has waited for \S+\. gpu is held back by its concurrency limit: 1 of 1 permits are in use, /,
    );
    expect(stdout).toContain(
      "→ Raise max_concurrent of gpu, now 1, if what it guards bears more.\n  backpressure limiters set gpu --max-concurrent N\n",
    );
    giveUp.abort();
    await waiting;
  });

  it("follows the request to the limiter that is in its way", async () => {
    await using _ = await service.client.acquire("gpu", { holder: "trainer" });
    const giveUp = new AbortController();
    const waiting = service.client
      .acquire([{ limiter: "license" }, { limiter: "gpu" }], { signal: giveUp.signal })
      .catch(() => {});
    await service.untilWaiting("license", 1);
    const { stdout } = await run("explain", "license");
    expect(stdout).toContain("The first also claims gpu, where no permits are free; it is granted both or neither.");
    expect(stdout).toContain("  backpressure explain gpu\n\ngpu\n  Full: ");
    const { behind, ...explanation } = JSON.parse((await run("--json", "explain", "license")).stdout);
    expect(explanation).toMatchObject({
      limiter: "license",
      state: "full",
      cause: { kind: "limiter", limiter: "gpu", key: "", reason: "CONCURRENCY_EXHAUSTED" },
      acts: [{ kind: "look-at", command: ["explain", "gpu"] }],
    });
    expect(behind).toMatchObject({ limiter: "gpu", cause: { kind: "concurrency" }, behind: null });
    giveUp.abort();
    await waiting;
  });

  it("looks at the key of the oldest waiter, or at the one that is named", async () => {
    await using _ = await service.client.acquire("tenants", { key: "a b" });
    const giveUp = new AbortController();
    const waiting = service.client.acquire("tenants", { key: "a b", signal: giveUp.signal }).catch(() => {});
    await service.untilWaiting("tenants", 1);
    expect((await run("explain", "tenants")).stdout).toMatch(/^tenants\[a b\]\n {2}Full: 1 request has waited /);
    expect((await run("explain", "tenants", "--key", "c")).stdout).toBe(
      "tenants[c]\n  Calm: no request waits for tenants[c], and 0 of 1 permits are in use.\n",
    );
    giveUp.abort();
    await waiting;
  });

  it.each([
    [
      "paused",
      "paused\n  Paused: an operator has paused paused: it grants nothing, and keeps its waiters. 0 waiters, 0 leases held.",
    ],
    ["idle", "idle\n  Calm: no request waits for idle, and 0 of 3 permits are in use.\n"],
  ])("says so where nothing waits: %s", async (name, words) => {
    expect((await run("explain", name)).stdout).toContain(words);
  });

  it("fails where there is no such limiter", async () => {
    expect(await run("explain", "nothing")).toMatchObject({
      code: 4,
      stdout: "",
      stderr: expect.stringContaining("(LIMITER_NOT_FOUND)"),
    });
    expect((await run("explain", "idle", "--key", "a")).code).toBe(2);
  });
});

describe("a queue that stands", () => {
  it("is stuck after ten seconds, and the holder that does not release is named", { timeout: 60_000 }, async () => {
    await service.client.limiters.create({ name: "stuck", maxConcurrent: 1 });
    await using lease = await service.client.acquire("stuck", { holder: "trainer@host-3" });
    const giveUp = new AbortController();
    const waiting = service.client.acquire("stuck", { signal: giveUp.signal }).catch(() => {});
    await service.untilWaiting("stuck", 1);
    let explanation: { state: string } = { state: "" };
    while (explanation.state !== "stuck") {
      explanation = JSON.parse((await run("--json", "explain", "stuck")).stdout);
      expect(["full", "stuck"]).toContain(explanation.state);
    }
    expect(explanation).toMatchObject({
      cause: { kind: "no-release" },
      details: [
        expect.stringMatching(
          new RegExp(`^The longest held is trainer@host-3's, for 1\\d.*s \\(lease ${lease.id}\\)\\.$`),
        ),
      ],
    });
    // The same in other words.
    expect((await run("top", "--once")).stdout).toMatch(
      /^1 of \d limiters needs you\.\n.*\nStuck +stuck +1\/1 +1 .* no release\n/,
    );
    expect((await run("limiters", "get", "stuck")).stdout).toMatch(
      /^waiting +1, the oldest for 1\S+s \(no release\)$/m,
    );
    const { code, stdout } = await run("doctor");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ stuck \(for 1\S+s\): requests wait and nothing is granted$/m);
    giveUp.abort();
    await waiting;
  });
});
