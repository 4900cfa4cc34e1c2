import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeBoard } from "../support/boards.ts";
import { cli, startCli, startCliOnTerminal } from "../support/cli.ts";
import { type Service, startService } from "../support/service.ts";

let service: Service;
let folder: string;
const run = (board: string, ...args: string[]) =>
  cli(["board", "--board", board, ...args], { address: service.address });

beforeAll(async () => {
  service = await startService();
  folder = mkdtempSync(join(tmpdir(), "backpressure-board-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await service[Symbol.asyncDispose]();
});

describe("board create", () => {
  it("makes a board of the stages that are named, in their order, and again without harm", async () => {
    const args = ["create", "papers", "--stage", "Ideas", "--stage", "To read:10:queue", "--stage", "Reading:work:1"];
    const rest = ["--stage", "Read", "--ttl", "1m30s", "--max-attempts", "3", "--keep-completed", "7"];
    for (const _ of ["once", "again"]) {
      expect(await run("papers", ...args, ...rest)).toEqual({
        code: 0,
        stdout: "created papers: Ideas:queue, To read:10:queue, Reading:1:work, Read:queue\n",
        stderr: "",
      });
    }
    const board = await service.client.boards.get("papers");
    expect(board).toMatchObject({ ttl: 90_000, maxAttempts: 3, keepCompleted: 7 });
    const other = await run("papers", "create", "papers", "--stage", "A", "--stage", "B");
    expect(other).toMatchObject({ code: 5, stderr: expect.stringContaining("(BOARD_EXISTS)") });
  });

  it.each([
    ["Build:x", "expected a whole number, 0 to 4294967295"],
    ["Build:1:2", "a stage has one limit, one kind and one limiter"],
    ["Build:queue:work", "a stage has one limit, one kind and one limiter"],
    ["Build:limiter=a:limiter=b", "a stage has one limit, one kind and one limiter"],
    ["Build:limiter=", "limiter= wants the name of a limiter"],
    [":3", "expected NAME[:LIMIT][:queue|work][:limiter=NAME][:no-auto-pull]"],
  ])("says what is wrong with a stage: %s", async (stage, words) => {
    const { code, stderr } = await run("wrong", "create", "wrong", "--stage", stage);
    expect(code).toBe(2);
    expect(stderr).toBe(`backpressure: option '--stage <stage>' argument '${stage}' is invalid. ${words}\n`);
  });
});

describe("board create, of all that a stage may have,", () => {
  it("names its limiter, and leaves each card to be committed by a pull", async () => {
    await service.client.limiters.create({ name: "gpu/a", maxConcurrent: 1 });
    const stages = ["Asked", "Ready:8:queue:no-auto-pull", "Train:limiter=gpu/a:4", "Done"];
    const made = await run("models", "create", "models", ...stages.flatMap((stage) => ["--stage", stage]));
    expect(made).toEqual({
      code: 0,
      stdout: "created models: Asked:queue, Ready:8:queue:no-auto-pull, Train:4:work:limiter=gpu/a, Done:queue\n",
      stderr: "",
    });
    expect((await service.client.boards.get("models")).stages).toMatchObject([
      { name: "Asked" },
      { name: "Ready", wipLimit: 8, kind: "queue", autoPull: false },
      { name: "Train", wipLimit: 4, kind: "work", limiter: "gpu/a" },
      { name: "Done", autoPull: true },
    ]);
    const board = service.client.board("models");
    await board.add({ id: "a" });
    expect(await board.get("a")).toMatchObject({ stage: "Asked" });
  });

  it("passes on from the server what a stage cannot have", async () => {
    const args = ["--stage", "In", "--stage", "Out:queue:limiter=gpu/a"];
    expect(await run("wrong", "create", "wrong", ...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("board.stages[1].limiter"),
    });
  });
});

describe("board set", () => {
  it("changes limits of stages at run time, and nothing else of them", async () => {
    const board = await makeBoard(service, "limits");
    await board.add({ id: "a" });
    const before = await service.client.boards.get("limits");
    expect(await run("limits", "set", "limits", "--wip-limit", "Build=8")).toEqual({
      code: 0,
      stdout: "changed limits: Backlog:queue, Build:8:work, Review:2:work, Done:queue\n",
      stderr: "",
    });
    await run("limits", "set", "limits", "--wip-limit", "Build=7", "--wip-limit", "Review=none");
    const after = await service.client.boards.get("limits");
    expect(after.stages.map(({ status: _, ...config }) => config)).toEqual(
      before.stages.map(({ status: _, ...config }) => ({
        ...config,
        wipLimit: config.name === "Build" ? 7 : undefined,
      })),
    );
    expect(await board.get("a")).toMatchObject({ stage: "Backlog" });
    expect((await run("limits", "set", "limits", "--wip-limit", "Build=7")).stdout).toBe("limits is unchanged\n");
  });

  it("changes settings of the board, and gives others back their defaults, and says what stands", async () => {
    await makeBoard(service, "settings", { ttl: 60_000, maxPullers: 3 });
    const args = [
      "--description",
      "ours",
      "--max-attempts",
      "2",
      "--keep-completed",
      "9",
      "--keep-completed-for",
      "1h",
    ];
    const said = await run("settings", "set", "settings", ...args, "--unset", "ttl", "max-pullers", "--json");
    expect(JSON.parse(said.stdout).board).toMatchObject({ name: "settings", maxAttempts: 2 });
    expect(await service.client.boards.get("settings")).toMatchObject({
      description: "ours",
      maxAttempts: 2,
      keepCompleted: 9,
      keepCompletedFor: 3_600_000,
      ttl: 30_000,
      maxPullers: 10_000,
      stages: [{ name: "Backlog" }, { name: "Build", wipLimit: 2 }, { name: "Review", wipLimit: 2 }, { name: "Done" }],
    });
  });

  it("changes nothing of a board that was changed since, whose stages it does not know, or that is not there", async () => {
    await makeBoard(service, "strict-set");
    const { etag } = await service.client.boards.get("strict-set");
    await run("x", "set", "strict-set", "--ttl", "1s");
    const set = (...args: string[]) => run("x", "set", ...args);
    expect(await set("strict-set", "--wip-limit", "Build=9", "--etag", etag)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("(ETAG_MISMATCH)"),
    });
    expect(await set("strict-set", "--wip-limit", "Biuld=9", "--wip-limit", "Build=9")).toEqual({
      code: 2,
      stdout: "",
      stderr: "backpressure: board strict-set has no stage Biuld: there are Backlog, Build, Review, Done\n",
    });
    expect(await set("strict-set", "--wip-limit", "Done=1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("keep_completed_for"),
    });
    expect(await set("nowhere", "--ttl", "1s")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("(BOARD_NOT_FOUND)"),
    });
    expect((await service.client.boards.get("strict-set")).stages[1]).toMatchObject({ wipLimit: 2 });
  });

  it.each<[string[], string]>([
    [[], "say what to change, such as --wip-limit Build=4 or --ttl 30s"],
    [["--wip-limit", "Build"], "expected STAGE=LIMIT, such as Build=4, or STAGE=none"],
    [["--wip-limit", "Build=x"], "expected a whole number, 0 to 4294967295"],
    [["--wip-limit", "Build=1", "--wip-limit", "Build=2"], "Build has been given a limit already"],
    [["--ttl", "1s", "--unset", "ttl"], "--ttl is both set and unset"],
    [["--unset", "stages"], "cannot unset stages: there are description, max-attempts, ttl"],
  ])("says what is wrong with %j", async (args, words) => {
    const { code, stderr } = await run("x", "set", "x", ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });
});

describe("board delete", () => {
  it("deletes a board with its completed cards, and one with open cards only by force", async () => {
    const board = await makeBoard(service, "old", { stages: [{ name: "In" }, { name: "Out", autoPull: false }] });
    await board.add({ id: "a" });
    expect(await run("x", "delete", "old")).toMatchObject({
      code: 5,
      stdout: "",
      stderr: expect.stringContaining("(BOARD_NOT_EMPTY)"),
    });
    expect((await run("x", "delete", "old", "--force")).stdout).toBe("deleted old with 1 card\n");
    expect(await run("x", "delete", "old")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("(BOARD_NOT_FOUND)"),
    });
    await makeBoard(service, "old");
    const { etag } = await service.client.boards.get("old");
    expect(await run("x", "delete", "old", "--etag", `${etag}7`)).toMatchObject({ code: 5 });
    expect((await run("x", "delete", "old", "--etag", etag)).stdout).toBe("deleted old\n");
    await makeBoard(service, "old");
    expect(JSON.parse((await run("x", "delete", "old", "--json")).stdout)).toEqual({ deletedCards: 0 });
  });
});

describe("board add, edit, card and remove", () => {
  it("add a card, change what is given of it, show it in full and delete it", async () => {
    const board = await makeBoard(service, "cards");
    const file = join(folder, "data.json");
    writeFileSync(file, '{ "ref": "main" }\n');
    expect(await run("cards", "add", "Fix the login", "--id", "#7", "--priority", "-5", "--data", `@${file}`)).toEqual({
      code: 0,
      stdout: "added #7: it is in Backlog\n",
      stderr: "",
    });
    expect(await board.get("#7")).toMatchObject({ title: "Fix the login", priority: -5, data: '{ "ref": "main" }' });

    expect((await run("cards", "edit", "#7", "--title", "Fix it", "--data", "")).stdout).toBe("changed #7\n");
    expect(await board.get("#7")).toMatchObject({ title: "Fix it", priority: -5, data: "" });
    expect(await run("cards", "edit", "#7")).toMatchObject({ code: 2, stderr: expect.stringContaining("--title") });

    const { stdout } = await run("cards", "card", "#7");
    expect(stdout).toMatch(/^card +#7\ntitle +Fix it\nstage +Backlog\nstate +waiting\n/);
    const json = JSON.parse((await run("cards", "card", "#7", "--json")).stdout);
    expect(json.card).toMatchObject({ id: "#7", state: "CARD_STATE_WAITING", attempt: 0 });

    expect((await run("cards", "remove", "#7")).stdout).toBe("removed #7\n");
    expect(await run("cards", "card", "#7")).toMatchObject({
      code: 4,
      stdout: "",
      stderr: expect.stringContaining("(CARD_NOT_FOUND)"),
    });
  });

  it("reads a text from standard input", async () => {
    const board = await makeBoard(service, "piped");
    await using adding = startCli(["board", "--board", "piped", "add", "Long", "--id", "l", "--description", "-"], {
      address: service.address,
      input: "pipe",
    });
    adding.type("line 1\nline 2");
    adding.closeInput();
    expect((await adding.result).code).toBe(0);
    expect((await board.get("l")).description).toBe("line 1\nline 2");
  });

  it("sends no data that is not JSON", async () => {
    await makeBoard(service, "strict");
    const { code, stderr } = await run("strict", "add", "A", "--data", "{a: 1}");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^backpressure: the data is not JSON: /);
    expect((await run("strict", "add", "A", "--data", "@/no/such/file")).stderr).toContain(
      "cannot read /no/such/file: ",
    );
    expect((await service.client.boards.get("strict")).status.addedCount).toBe(0);
  });
});

describe("a card that a person pulls", () => {
  it("stays theirs until they finish it, from another process and without a token", async () => {
    const board = await makeBoard(service, "person");
    await board.add({ id: "a", title: "Fix it", description: "see the mail" });
    const pulled = await run("person", "pull", "Build", "--worker", "alice");
    expect(pulled).toMatchObject({ code: 0, stderr: "" });
    expect(pulled.stdout).toMatch(
      /^pulled into Build: a, Fix it\n {2}see the mail\nfinish it: .* --board person finish a /,
    );
    expect(await board.get("a")).toMatchObject({ state: "active", lease: { worker: "alice", ttlMs: undefined } });
    expect((await run("person", "finish", "a", "--result", "merged")).stdout).toBe("finished a: it is in Build\n");
    expect(await board.get("a")).toMatchObject({ state: "finished", result: "merged" });
  });

  it("is the one that was asked for, by the user at this host unless a worker is named", async () => {
    const board = await makeBoard(service, "chosen");
    await board.add({ id: "a" });
    await board.add({ id: "b" });
    const { stdout } = await run("chosen", "pull", "Build", "--card", "b", "--json");
    expect(JSON.parse(stdout).pulled.card).toMatchObject({ id: "b", state: "CARD_STATE_ACTIVE" });
    expect((await board.get("b")).lease?.worker).toMatch(/^\S+@\S+$/);
    expect((await board.get("a")).state).toBe("waiting");
  });

  it("can be given back, sent back, blocked and unblocked, with a reason", async () => {
    const board = await makeBoard(service, "ends");
    await board.add({ id: "a" });
    await run("ends", "pull", "Build");
    expect((await run("ends", "give-back", "a", "--reason", "lunch")).stdout).toBe("gave back a: it is in Build\n");
    expect(await board.get("a")).toMatchObject({ state: "waiting", reason: "lunch", stage: "Build" });
    await run("ends", "pull", "Build");
    await run("ends", "finish", "a");
    await run("ends", "pull", "Review");
    expect((await run("ends", "send-back", "a", "--reason", "red")).stdout).toBe("sent back a: it is in Review\n");
    expect(await board.get("a")).toMatchObject({ state: "sent-back", reason: "red" });
    expect((await run("ends", "block", "a", "--reason", "asks")).stdout).toBe("blocked a: it is in Review\n");
    expect(await board.get("a")).toMatchObject({ state: "blocked", reason: "asks" });
    expect((await run("ends", "unblock", "a")).stdout).toBe("unblocked a: it is in Review\n");
    expect((await board.get("a")).state).not.toBe("blocked");
  });

  it("is not there, with exit code 1, where there is none or the stage is full", async () => {
    const board = await makeBoard(service, "none");
    const none = await run("none", "pull", "Build");
    expect(none).toMatchObject({ code: 1, stderr: "", stdout: expect.stringMatching(/^refused: .* \(NO_CARD\)$/m) });
    for (const id of ["a", "b", "c"]) await board.add({ id });
    await run("none", "pull", "Build");
    await run("none", "pull", "Build");
    const full = await run("none", "pull", "Build", "--json");
    expect(full.code).toBe(1);
    expect(JSON.parse(full.stdout).none.reason).toBe("REASON_STAGE_FULL");
    expect((await service.client.boards.get("none")).stages[1]?.status.cards).toBe(2);
  });
});

describe("a card that a worker with a ttl holds", () => {
  it("is ended under its fencing token alone", async () => {
    const board = await makeBoard(service, "token");
    await board.add({ id: "a" });
    await using work = await board.pull("Build");
    for (const token of [[], ["--token", `${work.fencingToken + 1n}`]]) {
      const { code, stderr } = await run("token", "finish", "a", ...token);
      expect(code).toBe(6);
      expect(stderr).toContain("(STALE_FENCING_TOKEN)");
    }
    expect((await board.get("a")).state).toBe("active");
    expect((await run("token", "finish", "a", "--token", `${work.fencingToken}`)).code).toBe(0);
    expect((await board.get("a")).state).toBe("finished");
  });
});

describe("board show", () => {
  it("draws the board: each stage with its limit, its cards and their workers, and the figures", async () => {
    const board = await makeBoard(service, "drawn", { description: "what we do" });
    for (const id of ["a", "b", "c"]) await board.add({ id, title: `Title of ${id}` });
    await board.tryPull("Build", { worker: "alice" });
    await board.tryPull("Build", { worker: "bob" });
    await board.finish("a");
    const { code, stdout, stderr } = await run("drawn", "show");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^drawn: what we do\n3 cards, 0 done · λ \S+\/h, throughput μ 0\/h · lead time - p50/);
    expect(stdout).toMatch(/^Build · 2\/2 full · λ \S+ μ 0 \/h$/m);
    expect(stdout).toMatch(/^ {2}✓ a +Title of a .* finished +alice /m);
    expect(stdout).toMatch(/^ {2}▸ b +Title of b .* active +bob /m);
    expect(stdout).toMatch(/^ {2}· c +Title of c .* waiting +- /m);
    expect(stdout).toMatch(/^Done · 0 done$/m);
    expect((await run("drawn")).stdout).toMatch(/^drawn: what we do$/m);
    expect((await run("drawn", "show", "--cards", "1")).stdout).toMatch(/^ {2}… 1 more$/m);
  });

  it("is GetBoard with all cards, for scripts", async () => {
    const board = await makeBoard(service, "scripted");
    await board.add({ id: "a" });
    const { board: shown, cards } = JSON.parse((await run("scripted", "show", "--json")).stdout);
    expect(shown).toMatchObject({ name: "scripted", status: { cards: 1 } });
    expect(cards).toMatchObject([{ id: "a", stage: "Backlog", state: "CARD_STATE_WAITING" }]);
  });

  it("shows cards however many completed ones there are", async () => {
    const board = await makeBoard(service, "long", { stages: [{ name: "In" }, { name: "Out" }], keepCompleted: 2000 });
    // More than one answer holds.
    const ids = Array.from({ length: 1001 }, (_, index) => `done-${index}`);
    for (let from = 0; from < ids.length; from += 100) {
      await Promise.all(ids.slice(from, from + 100).map((id) => board.add({ id })));
    }
    await service.client.boards.update("long", { stages: [{ name: "In" }, { name: "Out", autoPull: false }] });
    await board.add({ id: "open" });
    const { stdout } = await run("long", "show");
    expect(stdout).toMatch(/^ {2}· open /m);
    expect(stdout).toMatch(/^Out · 1,001 done$/m);
  });

  it("finds the board that the environment names, before `default`", async () => {
    await makeBoard(service, "from-env");
    const found = await cli(["board"], { address: service.address, env: { BACKPRESSURE_BOARD: "from-env" } });
    expect(found.stdout).toMatch(/^from-env\n/);
    const missing = await cli(["board", "show", "--board", "absent"], { address: service.address });
    expect(missing).toMatchObject({ code: 4, stderr: expect.stringContaining("(BOARD_NOT_FOUND)") });
  });
});

describe("board list and flow", () => {
  it("list every board, with what goes on in it", async () => {
    const board = await makeBoard(service, "listed");
    await board.add({ id: "a" });
    await board.tryPull("Build");
    const { stdout } = await run("any", "list");
    expect(stdout).toMatch(/^BOARD +STAGES +CARDS +BLOCKED +DONE +λ\/h +μ\/h +P85 LEAD +BOTTLENECK$/m);
    expect(stdout).toMatch(/^listed +Build 1\/2 +1 +0 +0 /m);
    const { boards } = JSON.parse((await run("any", "list", "--json")).stdout);
    expect(boards.map(({ name }: { name: string }) => name)).toContain("listed");
  });

  it("show how many cards each stage had", async () => {
    const board = await makeBoard(service, "flowing");
    await board.add({ id: "a" });
    expect((await run("flowing", "flow")).stdout).toMatch(/^TIME +BACKLOG +BUILD +REVIEW +DONE\n\d{4}-/);
    const { stages } = JSON.parse((await run("flowing", "flow", "--json")).stdout);
    expect(stages).toEqual(["Backlog", "Build", "Review", "Done"]);
  });
});

describe("board watch", () => {
  it.each([[["--json"]], [[]]])("says what there is, then what changes, one JSON object a line: %j", async (json) => {
    const name = `watched${json.length}`;
    const board = await makeBoard(service, name);
    await using watch = startCli([...json, "board", "--board", name, "watch"], { address: service.address });
    await watch.until("stdout", '"snapshot"');
    await board.add({ id: "a" });
    await watch.until("stdout", '"id":"a"');
    await board.remove("a");
    await watch.until("stdout", '"removedCardIds":["a"]');
    watch.kill("SIGINT");
    const { code, stdout, stderr } = await watch.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const line of stdout.trimEnd().split("\n")) JSON.parse(line);
  });

  it("ends when the server does, and says so", async () => {
    await using short = await startService();
    await makeBoard(short, "short");
    await using watch = startCli(["board", "--board", "short", "watch"], { address: short.address });
    await watch.until("stdout", '"snapshot"');
    await short.stop();
    expect(await watch.result).toMatchObject({ code: 3, stderr: expect.stringContaining("cannot reach") });
  });

  it.runIf(process.platform === "linux")(
    "draws the board anew at each change on a terminal, and gives the screen back",
    async () => {
      const board = await makeBoard(service, "screen");
      await using watch = startCliOnTerminal(["board", "--board", "screen", "watch"], { address: service.address });
      await watch.until("stdout", "\u001b[?1049h");
      await watch.until("stdout", "screen");
      await board.add({ id: "seen-1", title: "Look" });
      await watch.until("stdout", "· seen-1");
      await board.tryPull("Build", { worker: "alice" });
      await watch.until("stdout", "▸ seen-1");
      watch.type("\u0003");
      const { code, stdout } = await watch.result;
      expect(code).toBe(0);
      expect(stdout).toContain("\u001b[?1049l");
    },
  );
});

describe("a wrong command line of board", () => {
  it.each([
    [["lst"], /^backpressure: unknown command 'lst' of board: there are show, watch, list, /],
    [["add"], /^backpressure: missing required argument 'title'$/m],
    [["send-back", "a"], /^backpressure: required option '--reason <text>' not specified$/m],
    [["finish", "a", "--token", "0"], /expected a fencing token, a number from 1 on$/m],
    [["add", "a", "--priority", "high"], /expected a whole number, such as 5 or -5$/m],
    [["show", "--cards", "1001"], /expected a whole number, 0 to 1000$/m],
    [["pull", "Build", "--max-wait", "1s"], /^backpressure: --max-wait needs a command behind --$/m],
    [["pull", "Build", "true"], /^backpressure: write the command behind --: /],
  ])("exits with 2 and says what is wrong: %j", async (args, stderr) => {
    expect(await run("any", ...args)).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(stderr) });
  });
});
