import { describe, expect, it } from "vitest";
import { startRestartingServer } from "../../support/restarting-server.ts";
import { cli } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";
import { startService } from "../support/service.ts";

describe("doctor", () => {
  it("finds nothing but what is so, and exits with 0", async () => {
    await using service = await startService("limiters: [{ name: db, max_concurrent: 2 }]");
    const { code, stdout } = await cli(["doctor"], { address: service.address });
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^✓ ${service.address} answers in \\S+ms\n✓ it serves, with \\d services\n`));
    // The server shares its thread with this test, and may be late by that.
    const calm = "✓ it carries \\d+ streams? over \\d connections?, is late by \\S+ms \\(p99 .*, takes \\S+ MB of heap";
    expect(stdout).toMatch(new RegExp(`\n(${calm}|! its threads are late by .*)\n`));
    expect(stdout).toContain("\n✓ the clocks here and there agree\n");
    expect(stdout).toContain("\n! it keeps nothing: all is in memory\n");
    expect(stdout).toContain("\n  → give it a folder: --data DIR, or store.folder in its file\n");
    expect(stdout).toContain("\n✓ nothing looks wrong with 1 limiter\n");
    const warnings = stdout.includes("\n! its threads are late") ? "2 warnings" : "1 warning";
    expect(stdout).toMatch(new RegExp(`\n0 problems, ${warnings}, 0 notes\n$`));
  });

  it("finds a server that drains, and a stage that no card can enter, and exits with 1", async () => {
    await using service = await startService(`
limiters: [{ name: db, max_concurrent: 1 }]
drain: { timeout: 60s }
boards: [{ name: b, stages: [{ name: Todo }, { name: Build, limiter: gone }, { name: Done }] }]`);
    const lease = await service.client.acquire("db");
    const stopped = service.drain();
    const { code, stdout } = await cli(["--json", "doctor"], { address: service.address });
    expect(code).toBe(1);
    const { ok, findings } = JSON.parse(stdout);
    expect(ok).toBe(false);
    const problems = findings.filter(({ level }: { level: string }) => level === "problem");
    expect(problems.map(({ check }: { check: string }) => check)).toEqual(["health", "draining", "stage-limiter"]);
    await lease.release();
    await stopped;
  });

  it("finds a server that learns after its start, and what keeps no leases", async () => {
    await using server = await startRestartingServer("limiters: [{ name: db, max_concurrent: 1 }]", "leases: none");
    await cli(["try", "db"], { address: server.address });
    await server.stop();
    await server.start();
    const { code, stdout } = await cli(["doctor"], { address: server.address });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ it grants nothing for another \S+$/m);
    expect(stdout).toContain("\n! it keeps limiters and cards, and no leases\n");
  });

  it("says why a server is not reached, and exits with 1", async () => {
    const address = await closedPort();
    const { code, stdout, stderr } = await cli(["doctor"], { address });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toMatch(
      new RegExp(
        `^✗ ${address} does not answer\n {2}nothing listens there: the connection is refused\n {2}→ start the server`,
      ),
    );
  });

  it("refuses an address that is none", async () => {
    expect((await cli(["--address", "nowhere", "doctor"])).code).toBe(2);
  });
});
