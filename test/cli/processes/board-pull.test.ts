import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeBoard, untilCard, untilPullers } from "../support/boards.ts";
import { type CliProcess, cli, startCli } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
const args = (board: string, ...rest: string[]) => ["board", "--board", board, "pull", ...rest];
const pull = (board: string, ...rest: string[]) => cli(args(board, ...rest), { address: service.address });
const start = (board: string, ...rest: string[]): CliProcess =>
  startCli(args(board, ...rest), { address: service.address });

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

/** A shell that says `started`, and does this when it is asked to stop. */
function patient(onTerm: string): string[] {
  return ["sh", "-c", `trap '${onTerm}' TERM; echo started; while :; do sleep 0.05; done`];
}

describe("board pull with a command", () => {
  it("gives the command the card on standard input, and finishes it with what the command wrote", async () => {
    const board = await makeBoard(service, "stdin");
    await board.add({ id: "a", title: "Fix it", data: { ref: "main" }, priority: 3 });
    const { code, stdout, stderr } = await pull("stdin", "Build", "--worker", "ci-7", "--", "cat");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      id: "a",
      title: "Fix it",
      data: '{"ref":"main"}',
      priority: 3,
      stage: "Build",
      state: "CARD_STATE_ACTIVE",
      attempt: 1,
      lease: { worker: "ci-7" },
    });
    expect(await board.get("a")).toMatchObject({ state: "finished", result: stdout.trimEnd(), stage: "Build" });
  });

  it("tells the command its card in the environment", async () => {
    const board = await makeBoard(service, "environment");
    await board.add({ id: "a", title: "Fix it", data: { ref: "main" } });
    const script = "env | grep ^BACKPRESSURE_ | grep -v ADDRESS= | sort";
    const { stdout } = await pull("environment", "Build", "--", "sh", "-c", script);
    const variables = new Map(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/=(.*)/s) as [string, string]),
    );
    const { fencingToken } = (await board.get("a")).lease ?? {};
    expect(JSON.parse(variables.get("BACKPRESSURE_CARD") ?? "")).toMatchObject({ id: "a", title: "Fix it" });
    variables.delete("BACKPRESSURE_CARD");
    expect(Object.fromEntries(variables)).toEqual({
      BACKPRESSURE_ATTEMPT: "1",
      BACKPRESSURE_BOARD: "environment",
      BACKPRESSURE_CARD_DATA: '{"ref":"main"}',
      BACKPRESSURE_CARD_ID: "a",
      BACKPRESSURE_CARD_TITLE: "Fix it",
      BACKPRESSURE_FENCING_TOKEN: `${fencingToken}`,
      BACKPRESSURE_STAGE: "Build",
    });
  });

  it("runs for a card of any content: one too long for a variable is on standard input alone, and NUL is no end", async () => {
    const board = await makeBoard(service, "large");
    await board.add({ id: "a", title: "nul\0inside", data: "x".repeat(60_000) });
    const script = 'echo "[$BACKPRESSURE_CARD][$BACKPRESSURE_CARD_TITLE]"; wc -c';
    const { code, stdout } = await cli(args("large", "Build", "--", "sh", "-c", script), {
      address: service.address,
      env: { BACKPRESSURE_CARD: "an outer one's" },
    });
    expect(code).toBe(0);
    const [variables, count] = stdout.trimEnd().split("\n");
    expect(variables).toBe("[][]");
    expect(Number(count)).toBeGreaterThan(60_000);
  });

  it("does not need its command to read", async () => {
    const board = await makeBoard(service, "deaf");
    await board.add({ id: "a", data: "x".repeat(65_000) });
    expect(await pull("deaf", "Build", "--", "true")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await board.get("a")).state).toBe("finished");
  });

  it("passes on all that the command writes, and cuts the result to 64 KiB, between two letters", async () => {
    const board = await makeBoard(service, "much");
    await board.add({ id: "a" });
    const script = 'process.stdout.write("é".repeat(100_000))';
    const { code, stdout, stderr } = await pull("much", "Build", "--", process.execPath, "-e", script);
    expect({ code, length: stdout.length }).toEqual({ code: 0, length: 100_000 });
    expect(stderr).toBe("backpressure: the card's result is what the command wrote, cut to 64 KiB\n");
    expect((await board.get("a")).result).toBe("é".repeat(32_768));
  });

  it("leaves the card's result whole when it ends in the middle of a line, and its standard error alone", async () => {
    const board = await makeBoard(service, "streams");
    await board.add({ id: "a" });
    const { stdout, stderr } = await pull("streams", "Build", "--", "sh", "-c", "echo oops >&2; printf 'a\\n\\nb'");
    expect({ stdout, stderr }).toEqual({ stdout: "a\n\nb", stderr: "oops\n" });
    expect((await board.get("a")).result).toBe("a\n\nb");
  });

  it("takes for the result what processes that the command left behind write, too, as shells do", async () => {
    const board = await makeBoard(service, "late");
    await board.add({ id: "a" });
    const script = "(sleep 0.3; echo late) & echo early";
    expect((await pull("late", "Build", "--", "sh", "-c", script)).stdout).toBe("early\nlate\n");
    expect((await board.get("a")).result).toBe("early\nlate");
  });

  it.each([
    ["exit 3", 3, { state: "waiting", stage: "Review", reason: "exit code 3" }, 2],
    ["kill -KILL $$", 137, { state: "waiting", stage: "Review", reason: "ended by SIGKILL" }, 2],
    ["exit 75", 75, { state: "waiting", stage: "Review", reason: "exit code 75" }, 1],
    ["exit 76", 76, { state: "sent-back", stage: "Review", reason: "exit code 76" }, undefined],
  ])("ends the work by how the command ends, and exits as it does: %s", async (script, code, card, nextAttempt) => {
    const name = `ending-${code}`;
    const board = await makeBoard(service, name);
    await board.add({ id: "a" });
    await (await board.pull("Build")).finish();
    expect((await pull(name, "Review", "--", "sh", "-c", script)).code).toBe(code);
    expect(await board.get("a")).toMatchObject(card);
    if (nextAttempt === undefined) return;
    await using again = await board.pull("Review");
    expect(again.card.attempt).toBe(nextAttempt);
  });

  it.each([
    ["no-such-command", 127, "no-such-command: command not found"],
    ["/etc/passwd", 126, "/etc/passwd: permission denied"],
  ])("gives the card back, which counts for nothing, when nothing can be run: %s", async (file, code, words) => {
    const name = `unstartable-${code}`;
    const board = await makeBoard(service, name);
    await board.add({ id: "a" });
    expect(await pull(name, "Build", "--", file)).toEqual({ code, stdout: "", stderr: `backpressure: ${words}\n` });
    expect(await board.get("a")).toMatchObject({ state: "waiting", reason: words });
    await using again = await board.pull("Build");
    expect(again.card.attempt).toBe(1);
  });

  it("waits for a card, and says how that goes when asked to", async () => {
    const board = await makeBoard(service, "waits");
    await using process = start("waits", "Build", "--verbose", "--", "echo", "hello");
    await process.until("stderr", "waiting for a card in Build: next, there is none now");
    await board.add({ id: "a", title: "Fix it" });
    expect(await process.result).toMatchObject({
      code: 0,
      stdout: "hello\n",
      stderr: expect.stringContaining("working on a, Fix it"),
    });
  });

  it("does not run the command when there is no card in time", async () => {
    await makeBoard(service, "empty");
    for (const [wait, reason] of [
      ["0", "NO_CARD"],
      ["50ms", "WAIT_TIMEOUT"],
    ]) {
      const { code, stdout, stderr } = await pull("empty", "Build", "--max-wait", wait ?? "", "--", "echo", "started");
      expect({ code, stdout }).toEqual({ code: 124, stdout: "" });
      expect(stderr).toContain(`(${reason}`);
    }
  });

  it("does not run the command when a signal ends the wait, and leaves no puller waiting", async () => {
    const board = await makeBoard(service, "given-up");
    await using process = start("given-up", "Build", "--", "echo", "started");
    await untilPullers(board, "Build", 1);
    process.kill("SIGINT");
    expect(await process.result).toEqual({ code: 130, stdout: "", stderr: "" });
    await untilPullers(board, "Build", 0);
  });

  it.each([
    [["Build", "--"], "name the stage, and the command behind --: backpressure board pull STAGE -- COMMAND"],
    [["Build", "--card", "a", "--", "true"], "--card takes a card by hand: it does not go with a command"],
    [["Build", "--concurrency", "2", "--", "true"], "--concurrency needs --loop"],
    [
      ["Build", "--loop", "--concurrency", "0", "--", "true"],
      "option '--concurrency <n>' argument '0' is invalid. expected a whole number from 1 on",
    ],
    [["Nowhere", "--", "true"], undefined],
  ])("has a code of its own for what went wrong before the command: %j", async (rest, words) => {
    const { code, stderr } = await pull("waits", ...rest);
    expect(code).toBe(125);
    if (words === undefined) expect(stderr).toContain("(STAGE_NOT_FOUND)");
    else expect(stderr).toBe(`backpressure: ${words}\n`);
  });

  it("says where there is no server", async () => {
    const address = await closedPort();
    const { code, stderr } = await cli(args("any", "Build", "--", "true"), { address });
    expect(code).toBe(125);
    expect(stderr).toContain(`cannot reach ${address}`);
  });
});

describe("board pull with a command, when it is sent a signal", () => {
  it.each(["TERM", "INT", "USR1"] as const)("passes SIG%s on, and ends as the command does", async (name) => {
    const board = await makeBoard(service, `signalled-${name}`);
    await board.add({ id: "a" });
    const script = `trap 'echo heard; exit 0' ${name}; echo started; while :; do sleep 0.05; done`;
    await using process = start(`signalled-${name}`, "Build", "--", "sh", "-c", script);
    await process.until("stdout", "started");
    process.kill(`SIG${name}`);
    expect(await process.result).toMatchObject({ code: 0, stdout: "started\nheard\n" });
    expect(await board.get("a")).toMatchObject({ state: "finished", result: "started\nheard" });
  });

  it("counts no attempt against a card whose command was asked to end", async () => {
    const board = await makeBoard(service, "interrupted");
    await board.add({ id: "a" });
    await using process = start("interrupted", "Build", "--", "sh", "-c", "echo started; sleep 1000");
    await process.until("stdout", "started");
    process.kill("SIGTERM");
    expect((await process.result).code).toBe(143);
    expect(await board.get("a")).toMatchObject({ state: "waiting", reason: "its worker was stopped by SIGTERM" });
    await using again = await board.pull("Build");
    expect(again.card.attempt).toBe(1);
  });
});

describe("board pull with a command, when the card is lost", () => {
  it("stops the command and exits with 123", async () => {
    const board = await makeBoard(service, "lost");
    await board.add({ id: "a" });
    await using process = start("lost", "Build", "--", ...patient("echo stopping; exit 0"));
    await process.until("stdout", "started");
    await board.remove("a");
    const { code, stdout, stderr } = await process.result;
    expect({ code, stdout }).toEqual({ code: 123, stdout: "started\nstopping\n" });
    expect(stderr).toMatch(/^backpressure: work on card a of board lost is lost: .*; the command is stopped$/m);
  });

  it("kills what does not stop, and all that it has started, and leaves a blocked card blocked", async () => {
    const board = await makeBoard(service, "stubborn");
    await board.add({ id: "a" });
    const script = "trap '' TERM; sh -c 'sleep 1000; echo never' & echo started; wait; sleep 1000";
    await using process = start("stubborn", "Build", "--kill-after", "200ms", "--", "sh", "-c", script);
    await process.until("stdout", "started");
    await board.block("a", "stop");
    expect(await process.result).toMatchObject({ code: 123, stdout: "started\n" });
    expect(await board.get("a")).toMatchObject({ state: "blocked", reason: "stop" });
  });
});

describe("board pull --loop", () => {
  it("works on one card after the other, until a signal ends it while it waits", async () => {
    const board = await makeBoard(service, "loop");
    for (const id of ["a", "b"]) await board.add({ id });
    await using process = start("loop", "Build", "--loop", "--", "sh", "-c", 'echo "done $BACKPRESSURE_CARD_ID"');
    await process.until("stdout", "done a\ndone b\n");
    for (const id of ["a", "b"]) await untilCard(board, id, ({ state }) => state === "finished");
    process.kill("SIGTERM");
    expect(await process.result).toEqual({ code: 0, stdout: "done a\ndone b\n", stderr: "" });
    expect(await board.get("b")).toMatchObject({ state: "finished", result: "done b" });
  });

  it("lets the work at hand finish after the first signal, and pulls nothing more", async () => {
    const board = await makeBoard(service, "graceful");
    for (const id of ["a", "b"]) await board.add({ id });
    const script = `process.on("SIGUSR2", () => process.exit(0)); setInterval(() => {}, 1000); console.log("started");`;
    await using worker = start("graceful", "Build", "--loop", "--", process.execPath, "-e", script);
    await worker.until("stdout", "started");
    worker.kill("SIGTERM");
    await worker.until("stderr", "stopping when the work at hand is done; again to hurry it");
    worker.kill("SIGUSR2");
    expect(await worker.result).toMatchObject({ code: 0, stdout: "started\n" });
    expect((await board.get("a")).state).toBe("finished");
    expect(await board.get("b")).toMatchObject({ state: "waiting", stage: "Backlog" });
  });

  it("passes a second signal on to the commands, and gives their cards back without counting", async () => {
    const board = await makeBoard(service, "hurried");
    for (const id of ["a", "b"]) await board.add({ id });
    const script = 'echo "started $BACKPRESSURE_CARD_ID"; sleep 1000';
    await using process = start("hurried", "Build", "--loop", "--concurrency", "2", "--", "sh", "-c", script);
    await process.until("stdout", "started a");
    await process.until("stdout", "started b");
    process.kill("SIGINT");
    await process.until("stderr", "again to hurry it");
    process.kill("SIGTERM");
    expect((await process.result).code).toBe(0);
    for (const id of ["a", "b"]) {
      expect(await board.get(id)).toMatchObject({ state: "waiting", reason: "its worker was stopped by SIGINT" });
    }
    await using again = await board.pull("Build");
    expect(again.card.attempt).toBe(1);
  });

  it("gives a card that fails back as failed, until it is blocked, and goes on", async () => {
    const board = await makeBoard(service, "failing", { maxAttempts: 1 });
    for (const id of ["a", "b"]) await board.add({ id });
    const script = '[ "$BACKPRESSURE_CARD_ID" != a ] || exit 3';
    await using process = start("failing", "Build", "--loop", "--", "sh", "-c", script);
    await untilCard(board, "a", ({ state, reason }) => state === "blocked" && reason.includes("exit code 3"));
    await untilCard(board, "b", ({ state }) => state === "finished");
    process.kill("SIGINT");
    expect(await process.result).toEqual({ code: 0, stdout: "", stderr: "backpressure: card a: exit code 3\n" });
  });

  it("stops the command of a card that is lost, and goes on with the next", async () => {
    const board = await makeBoard(service, "lost-in-loop");
    for (const id of ["a", "b"]) await board.add({ id });
    const script =
      '[ "$BACKPRESSURE_CARD_ID" = b ] && exit; trap "exit 0" TERM; echo started; while :; do sleep 0.05; done';
    await using process = start("lost-in-loop", "Build", "--loop", "--", "sh", "-c", script);
    await process.until("stdout", "started");
    await board.remove("a");
    await untilCard(board, "b", ({ state }) => state === "finished");
    process.kill("SIGINT");
    expect(await process.result).toMatchObject({ code: 0, stderr: expect.stringMatching(/card a: .* is lost: /) });
  });

  it("ends when its command cannot be started", async () => {
    const board = await makeBoard(service, "no-command");
    await board.add({ id: "a" });
    expect(await pull("no-command", "Build", "--loop", "--", "no-such-command")).toEqual({
      code: 127,
      stdout: "",
      stderr: "backpressure: no-such-command: command not found\n",
    });
    expect(await board.get("a")).toMatchObject({ state: "waiting" });
  });

  it("ends where it cannot go on", async () => {
    const { code, stderr } = await pull("none", "Build", "--loop", "--", "true");
    expect(code).toBe(125);
    expect(stderr).toMatch(/\((BOARD_NOT_FOUND|INVALID_REQUEST)\)/);
  });
});
