import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliProcess, cli, startCli, startCliOnTerminal } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
let folder: string;
const run = (...args: string[]) => cli(["run", ...args], { address: service.address });
const start = (...args: string[]) => startCli(["run", ...args], { address: service.address });

beforeAll(async () => {
  service = await startService("limiters: [{ name: gpu, max_concurrent: 1000 }]");
  folder = mkdtempSync(join(tmpdir(), "backpressure-run-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await service[Symbol.asyncDispose]();
});

async function limiter(name: string): Promise<string> {
  await service.client.limiters.create({ name, maxConcurrent: 1 });
  return name;
}

/** A shell that says `started`, and does this when it is asked to stop. */
function patient(onTerm: string): string[] {
  return ["sh", "-c", `trap '${onTerm}' TERM; echo started; while :; do sleep 0.05; done`];
}

async function leaseOf(name: string): Promise<string> {
  const [lease] = await service.leases(name);
  return lease?.id ?? "none";
}

describe("run", () => {
  it("holds a lease while the command runs, and gives it back", async () => {
    const held = await limiter("held");
    await using process = startCli(["run", held, "--", "cat"], { address: service.address, input: "pipe" });
    await service.untilHeld(held, 1);
    process.closeInput();
    expect(await process.result).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await service.client.limiters.get(held)).status.leases).toBe(0);
  });

  it.each([
    ["exit 0", 0],
    ["exit 7", 7],
    ["kill -TERM $$", 143],
  ])("passes on how the command ended: %s", async (script, code) => {
    expect(await run("gpu", "--", "sh", "-c", script)).toEqual({ code, stdout: "", stderr: "" });
  });

  it("leaves the command's arguments and streams alone", async () => {
    const script = 'printf "%s|" "$@"; echo oops >&2';
    expect(await run("gpu", "--", "sh", "-c", script, "sh", "--json", "-v", "--", "a b")).toEqual({
      code: 0,
      stdout: "--json|-v|--|a b|",
      stderr: "oops\n",
    });
  });

  it("tells the command its lease, fencing token and slots, not its secret, nor those of a lease around it", async () => {
    const names = await run("gpu", "--permits", "2", "--slots", "--", "sh", "-c", "env | grep ^BACKPRESSURE | sort");
    const [address, token, id, slots, ...others] = names.stdout.trimEnd().split("\n");
    expect(address).toBe(`BACKPRESSURE_ADDRESS=${service.address}`);
    expect(token).toMatch(/^BACKPRESSURE_FENCING_TOKEN=\d+$/);
    expect(id).toMatch(/^BACKPRESSURE_LEASE_ID=\S{16,}$/);
    expect(slots).toBe("BACKPRESSURE_SLOTS=0,1");
    expect(others).toEqual([]);
    const outer = { BACKPRESSURE_SLOTS: "5" };
    const inner = await cli(["run", "gpu", "--", "sh", "-c", 'echo "$BACKPRESSURE_SLOTS"'], {
      address: service.address,
      env: outer,
    });
    expect(inner.stdout).toBe("\n");
  });

  it("names as the holder the user, the host and the command", async () => {
    const named = await limiter("named");
    await using process = startCli(["run", named, "--", "/bin/cat"], { address: service.address, input: "pipe" });
    await service.untilHeld(named, 1);
    const [lease] = await service.leases(named);
    expect(lease?.holder).toMatch(/^\S+@\S+ cat$/);
    process.closeInput();
    await process.result;
  });

  it("waits its turn before the command starts", async () => {
    const turn = await limiter("turn");
    const lease = await service.client.acquire(turn);
    await using process = start(turn, "--", "echo", "started");
    await service.untilWaiting(turn, 1);
    await lease.release();
    expect(await process.result).toEqual({ code: 0, stdout: "started\n", stderr: "" });
  });

  it("does not start the command when it is not granted in time", async () => {
    const full = await limiter("full");
    await using _ = await service.client.acquire(full);
    const { code, stdout, stderr } = await run(full, "--max-wait", "0", "--", "echo", "started");
    expect({ code, stdout }).toEqual({ code: 124, stdout: "" });
    expect(stderr).toContain("(CONCURRENCY_EXHAUSTED");
  });

  it("does not start the command when a signal ends the wait", async () => {
    const given = await limiter("given-up");
    await using _ = await service.client.acquire(given);
    await using process = start(given, "--", "echo", "started");
    await service.untilWaiting(given, 1);
    process.kill("SIGINT");
    expect(await process.result).toEqual({ code: 130, stdout: "", stderr: "" });
    await service.untilWaiting(given, 0);
  });

  it.each([
    [["gpu", "--", "no-such-command"], 127, "backpressure: no-such-command: command not found\n"],
    [["gpu", "--", "/etc/passwd"], 126, "backpressure: /etc/passwd: permission denied\n"],
    [["gpu", "--", "/"], 126, "backpressure: /: permission denied\n"],
    [
      ["gpu", "echo"],
      125,
      "backpressure: name the limiter, and the command behind --: backpressure run LIMITER -- COMMAND\n",
    ],
    [
      ["gpu", "--permits", "x", "--", "true"],
      125,
      "backpressure: option '--permits <n>' argument 'x' is invalid. expected a whole number, 0 to 4294967295\n",
    ],
    [
      ["gpu", "--on-lost", "cry", "--", "true"],
      125,
      "backpressure: option '--on-lost <what>' argument 'cry' is invalid. expected one of: kill, warn\n",
    ],
  ])("says why nothing was run: %j", async (args, code, stderr) => {
    expect(await run(...args)).toEqual({ code, stdout: "", stderr });
  });

  it("has a code of its own for what went wrong before the command", async () => {
    expect(await run("none", "--", "true")).toMatchObject({ code: 125, stdout: "" });
    const address = await closedPort();
    const unreachable = await cli(["--json", "run", "gpu", "--", "true"], { address });
    expect(unreachable.code).toBe(125);
    expect(JSON.parse(unreachable.stderr).error.reason).toBe("SERVER_UNAVAILABLE");
  });
});

describe("run, when it is sent a signal", () => {
  it.each(["TERM", "INT", "HUP", "USR1"] as const)("passes SIG%s on, and ends as the command does", async (name) => {
    const signalled = await limiter(`signalled-${name}`);
    const script = `trap 'echo heard; exit 5' ${name}; echo started; while :; do sleep 0.05; done`;
    await using process = start(signalled, "--", "sh", "-c", script);
    await process.until("stdout", "started");
    process.kill(`SIG${name}`);
    expect(await process.result).toMatchObject({ code: 5, stdout: "started\nheard\n" });
    expect((await service.client.limiters.get(signalled)).status.leases).toBe(0);
  });
});

describe("run, when the lease is lost", () => {
  it("stops the command and exits with 123", async () => {
    const lost = await limiter("lost");
    await using process = start(lost, "--", ...patient("echo stopping; exit 0"));
    await process.until("stdout", "started");
    await service.client.limiters.revokeLease(await leaseOf(lost), { force: true });
    const { code, stdout, stderr } = await process.result;
    expect({ code, stdout }).toEqual({ code: 123, stdout: "started\nstopping\n" });
    expect(stderr).toMatch(/^backpressure: lease \S+ is lost: .*; the command is stopped$/m);
  });

  it("kills what does not stop, and all that it has started", async () => {
    const stubborn = await limiter("stubborn");
    // `result` is there when no process is left that could write.
    const script = "trap '' TERM; sh -c 'sleep 1000; echo never' & echo started; wait; sleep 1000";
    await using process = start(stubborn, "--kill-after", "200ms", "--", "sh", "-c", script);
    await process.until("stdout", "started");
    await service.client.limiters.revokeLease(await leaseOf(stubborn), { force: true });
    expect(await process.result).toMatchObject({ code: 123, stdout: "started\n" });
  });

  it("gives what the command has started its time, after the command itself has gone", async () => {
    const family = await limiter("family");
    const saved = join(folder, "saved");
    const child = `trap "sleep 0.3; touch ${saved}; exit" TERM; echo started; while :; do sleep 0.05; done`;
    await using process = start(family, "--kill-after", "20s", "--", "sh", "-c", `sh -c '${child}' & wait`);
    await process.until("stdout", "started");
    await service.client.limiters.revokeLease(await leaseOf(family), { force: true });
    await process.exited;
    expect(existsSync(saved)).toBe(true);
    expect(await process.result).toMatchObject({ code: 123 });
  });

  it("lets the command run on a warning, if that was chosen", async () => {
    const warned = await limiter("warned");
    await using process = startCli(["run", warned, "--on-lost", "warn", "--", "sh", "-c", "cat; exit 4"], {
      address: service.address,
      input: "pipe",
    });
    await service.untilHeld(warned, 1);
    await service.client.limiters.revokeLease(await leaseOf(warned), { force: true });
    await process.until("stderr", "the command goes on without it");
    process.closeInput();
    expect((await process.result).code).toBe(4);
  });

  it("stops the command when an operator asks for the lease back, and says why", async () => {
    const asked = await limiter("asked");
    await using process = start(asked, "--", ...patient("echo saved; exit 0"));
    await process.until("stdout", "started");
    await service.client.limiters.revokeLease(await leaseOf(asked), { message: "upgrade" });
    const { code, stdout, stderr } = await process.result;
    expect({ code, stdout }).toEqual({ code: 123, stdout: "started\nsaved\n" });
    expect(stderr).toMatch(/^backpressure: an operator asks for the lease back by \d\d:\d\d:\d\d: upgrade$/m);
    expect((await service.client.limiters.get(asked)).status.leases).toBe(0);
  });

  it("stops the command when the server is gone", async () => {
    await using short = await startService("limiters: [{ name: gpu, max_concurrent: 1 }]");
    await using process: CliProcess = startCli(["run", "gpu", "--", ...patient("exit 0")], { address: short.address });
    await process.until("stdout", "started");
    await short.stop();
    expect(await process.result).toMatchObject({ code: 123, stderr: expect.stringContaining("is lost: ") });
  });
});

describe.runIf(process.platform === "linux")("run, on a terminal", () => {
  it("rewrites its place in the queue in one line, and clears it for the command", async () => {
    const shown = await limiter("shown");
    const lease = await service.client.acquire(shown);
    await using process = startCliOnTerminal(["run", shown, "--", "echo", "hello"], { address: service.address });
    await process.until("stdout", "\r\u001b[Kwaiting for shown: next in the queue");
    await lease.release();
    const { code, stdout } = await process.result;
    expect(code).toBe(0);
    expect(stdout.endsWith("\r\u001b[Khello\r\n")).toBe(true);
  });

  it("lets each Ctrl-C reach the command once", async () => {
    const typed = await limiter("typed");
    // Not a shell, which hears of two signals that come close together as one.
    const script = `
      let heard = 0;
      process.on("SIGINT", () => console.log("heard " + ++heard));
      process.on("SIGTERM", () => { console.log("in all " + heard); process.exit(0); });
      setInterval(() => {}, 1000);
      console.log("started");`;
    await using process = startCliOnTerminal(["run", typed, "--", execPath, "-e", script], {
      address: service.address,
    });
    await process.until("stdout", "started");
    for (let typedTimes = 1; typedTimes <= 5; typedTimes += 1) {
      process.type(CTRL_C);
      await process.until("stdout", `heard ${typedTimes}`);
    }
    const [lease] = await service.leases(typed);
    await service.client.limiters.revokeLease(lease?.id ?? "");
    const { code, stdout } = await process.result;
    expect(code).toBe(123);
    expect(stdout).toContain("in all 5");
  });
});

const CTRL_C = "\u0003";
