/** `top` on a terminal that script(1) makes, of 80 columns and 24 rows, and without one. */

import { describe, expect, it } from "vitest";
import { startRestartingServer } from "../../support/restarting-server.ts";
import { cli, startCliOnTerminal } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";
import { startService } from "../support/service.ts";

const LEAVE = "\u001b[?25h\u001b[?1049l";
const YAML = "limiters: [{ name: gpu, max_concurrent: 1 }, { name: idle, max_concurrent: 3 }]";

/** Ways to end it, and the exit code that each has. */
const ENDS = [
  ["q", 0],
  ["Ctrl-C", 0],
  ["SIGTERM", 0],
  ["SIGHUP", 0],
] as const;

describe("top", () => {
  it.each(ENDS)("gives the screen back at %s", async (end, code) => {
    await using service = await startService(YAML);
    await using top = startCliOnTerminal(["top"], { address: service.address });
    await top.until("stdout", "None of 2 limiters needs you.");
    if (end === "q") top.type("q");
    else if (end === "Ctrl-C") top.type("\u0003");
    else top.signalChild(end);
    const { stdout, code: exited } = await top.result;
    expect(exited).toBe(code);
    expect(stdout.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
    expect(stdout.endsWith(LEAVE)).toBe(true);
  });

  it("shows what another process takes, opens it, and goes back", async () => {
    await using service = await startService(YAML);
    await using top = startCliOnTerminal(["top"], { address: service.address });
    await top.until("stdout", "None of 2 limiters needs you.");
    await using lease = await service.client.acquire("gpu", { holder: "trainer" });
    await top.until("stdout", "Full   gpu");
    top.type("\r");
    await top.until("stdout", `trainer  gpu    attached  ${lease.id}`);
    await top.until("stdout", "Full: all 1 permit of gpu are in use, and no request waits.");
    top.type("\u001b");
    await lease.release();
    await top.until("stdout", "Calm   gpu");
    top.type("/id");
    await top.until("stdout", "by trouble · /id_");
    top.type("\rq");
    expect((await top.result).code).toBe(0);
  });

  it("fits into the terminal, whichever size that is given", async () => {
    await using service = await startService(YAML);
    await using top = startCliOnTerminal(["top"], { address: service.address });
    await top.until("stdout", "HELD BACK BY");
    top.resize(40, 8);
    await top.until("stdout", "\u001b[2J", "HELD BACK BY");
    await top.until("stdout", "STATE  LIMITER  IN USE  WAITING", "\u001b[2J");
    await top.until("stdout", "\u001b[8;1H", "\u001b[2J");
    top.type("q");
    const { stdout } = await top.result;
    const narrow = stdout.slice(stdout.lastIndexOf("\u001b[2J"));
    expect(narrow).not.toContain("HELD BACK BY");
    expect(narrow).not.toContain("\u001b[9;1H");
  });

  it("shows boards, and the cards of one", async () => {
    await using service = await startService(
      `${YAML}\nboards: [{ name: release, stages: [{ name: Todo }, { name: Build }, { name: Done }] }]`,
    );
    await service.client.board("release").add({ id: "parser", title: "Write the parser" });
    await using top = startCliOnTerminal(["top"], { address: service.address });
    await top.until("stdout", "None of 2 limiters needs you.");
    top.type("\t");
    await top.until("stdout", "> release ");
    top.type("\r");
    await top.until("stdout", "Write the parser");
    top.type("q");
    expect((await top.result).code).toBe(0);
  });

  it("says that the server is lost, and goes on when it is there again", async () => {
    await using server = await startRestartingServer(YAML);
    await using top = startCliOnTerminal(["top"], { address: server.address, env: { NO_COLOR: "1" } });
    await top.until("stdout", "None of 2 limiters needs you.");
    await server.crash();
    await top.until("stdout", "LOST since");
    await top.until("stdout", "connection refused");
    await server.start();
    await top.until("stdout", "Calm   idle", "LOST since");
    await top.until("stdout", "backpressure top ·", "LOST since");
    top.type("q");
    const { code, stdout } = await top.result;
    expect(code).toBe(0);
    expect(stdout.endsWith(LEAVE)).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what it is about.
    expect(stdout).not.toMatch(/\u001b\[[0-9;]*m/);
  });

  it("prints one table with --once, or JSON, without a terminal", async () => {
    await using service = await startService(YAML);
    await using _ = await service.client.acquire("gpu");
    const { code, stdout } = await cli(["top", "--once"], { address: service.address });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^None of 2 limiters needs you\.\nSTATE +LIMITER .*\nFull +gpu +1\/1 .*\nCalm +idle +0\/3 .*\n/,
    );
    const inJson = await cli(["top", "--once", "--json"], { address: service.address });
    expect(JSON.parse(inJson.stdout).limiters).toMatchObject([
      { name: "gpu", state: "full", permitsInUse: 1, permitsLimit: 1 },
      { name: "idle", state: "calm" },
    ]);
  });

  it("refuses without a terminal, and fails as other commands do without a server", async () => {
    expect(await cli(["top"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "backpressure: top needs a terminal; `backpressure top --once` prints one table\n",
    });
    expect((await cli(["--json", "top"])).stderr).toContain("--json needs --once");
    const address = await closedPort();
    const { code, stdout } = await startCliOnTerminal(["top"], { address }).result;
    expect(code).toBe(3);
    expect(stdout).toContain("connection refused");
    expect(stdout).not.toContain("\u001b[?1049h");
  });
});
