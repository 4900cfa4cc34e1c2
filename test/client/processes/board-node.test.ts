import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import type { BoardClient } from "../../../src/client/api/board-client.ts";
import type { Card } from "../../../src/client/api/card.ts";
import type { ClientEvent } from "../../../src/client/api/events.ts";
import type { Refusal } from "../../../src/client/api/refusal.ts";
import type { PullNotice, Work } from "../../../src/client/api/work.ts";
import { aborted } from "../support/aborted.ts";
import { createMailbox } from "../support/mailbox.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const BOARD = "boards: [{ name: release, ttl: 60s }]";

/** A board of the real server, and ways to it. */
async function setup(yaml = BOARD) {
  const server = await startRealServer(yaml);
  const proxy = await startTcpProxy(server.address);
  const client = connectForTest(server.address, { holder: "tests" });
  const events = createMailbox<ClientEvent>();
  const far = connectForTest(proxy.address, { holder: "far", onEvent: events.put });
  return { server, proxy, events, client, board: client.board("release"), far, farBoard: far.board("release") };
}

function held(attempt: Work | Refusal): Work {
  if (!attempt.granted) throw new Error(attempt.message);
  return attempt;
}

/** Resolves with the card as soon as it is as wanted. */
async function until(board: BoardClient, cardId: string, isWanted: (card: Card) => boolean): Promise<Card> {
  for await (const { cards } of board.watch()) {
    const card = cards.get(cardId);
    if (card !== undefined && isWanted(card)) return card;
  }
  throw new Error("the watch has ended");
}

/** A worker in a process of its own that has pulled a card. */
async function startWorker(address: string) {
  const script = fileURLToPath(new URL("../support/worker.ts", import.meta.url));
  const child = spawn(process.execPath, [script, address, "release", "InProgress"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { cardId, fencingToken } = JSON.parse(String(line)) as { cardId: string; fencingToken: string };
  return { child, cardId, fencingToken: BigInt(fencingToken) };
}

describe("a worker in Node, over gRPC", () => {
  it("waits for a card, works, and passes it on with its result", async () => {
    const { board } = await setup();
    const places = createMailbox<PullNotice>();
    const pulling = board.pull("InProgress", { onWaiting: places.put });
    expect(await places.next()).toEqual({ pullersAhead: 0, missing: "NO_CARD" });
    const { id } = await board.add({ title: "one", data: { size: 3 } });
    const work = await pulling;
    expect(work.card).toMatchObject({ id, stage: "InProgress", state: "active", data: '{"size":3}', attempt: 1 });
    expect(work.card.lease).toMatchObject({ worker: "tests", fencingToken: work.fencingToken, ttlMs: 60_000 });
    expect(await work.finish({ ok: true })).toMatchObject({ id, state: "finished", result: '{"ok":true}' });
    expect(await work.finish()).toMatchObject({ id });

    await using review = await board.pull("Review");
    expect(review.card).toMatchObject({ id, stage: "Review", result: '{"ok":true}' });
    expect(review.fencingToken).toBeGreaterThan(work.fencingToken);
    expect(await review.finish("good")).toMatchObject({ id, stage: "Done", state: "completed", result: "good" });
  });

  it("gives its card back when it leaves without an end, which is no attempt", async () => {
    const { board } = await setup();
    const { id } = await board.add({ title: "one" });
    {
      await using work = await board.pull("InProgress");
      expect(work.card.id).toBe(id);
    }
    expect(await board.get(id)).toMatchObject({ stage: "InProgress", state: "waiting" });
    await using again = await board.pull("InProgress");
    expect(again.card).toMatchObject({ id, attempt: 1 });
  });

  it("sends a card back for rework, gives one back as failed, and blocks one, each with its reason", async () => {
    const { board } = await setup();
    const { id } = await board.add({ title: "one" });
    await (await board.pull("InProgress")).finish();
    await (await board.pull("Review")).sendBack("the tests are red");
    const rework = await board.pull("InProgress");
    expect(rework.card).toMatchObject({ id, stage: "InProgress" });
    expect(await rework.giveBack("no idea", { failed: true })).toMatchObject({ state: "waiting", reason: "no idea" });
    const again = await board.pull("InProgress");
    expect(again.card.attempt).toBe(2);
    expect(await again.block("ask Ana")).toMatchObject({ state: "blocked", reason: "ask Ana" });
    await expect(again.finish()).rejects.toMatchObject({ reason: "STALE_FENCING_TOKEN" });
    expect(await board.tryPull("InProgress")).toMatchObject({ granted: false, reason: "NO_CARD" });
    expect(await board.unblock(id)).toMatchObject({ state: "waiting" });
    expect(held(await board.tryPull("InProgress")).card).toMatchObject({ id, attempt: 1 });
  });

  it("is refused a result that is too long, and still has its card", async () => {
    const { board } = await setup();
    await board.add({ title: "one" });
    await using work = await board.pull("InProgress");
    await expect(work.finish("x".repeat(70_000))).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "result" }],
    });
    expect(work.valid).toBe(true);
    expect(await work.finish("shorter")).toMatchObject({ state: "finished" });
  });

  it("loses its work when an operator blocks or removes the card", async () => {
    const { board } = await setup();
    const cards = [await board.add({ title: "one" }), await board.add({ title: "two" })];
    const works = [await board.pull("InProgress"), await board.pull("InProgress")];
    await board.block(cards[0]?.id ?? "", "stop");
    await board.remove(cards[1]?.id ?? "");
    expect(await aborted((works[0] as Work).signal)).toMatchObject({ name: "WorkLostError", reason: "CARD_BLOCKED" });
    expect(await aborted((works[1] as Work).signal)).toMatchObject({ reason: "CARD_DELETED" });
  });

  it("keeps its work alive by renewals, also without a stream, well beyond the ttl", async () => {
    const { board } = await setup("boards: [{ name: release, ttl: 1s }]");
    await board.add({ title: "one" });
    await board.add({ title: "two" });
    await using stream = await board.pull("InProgress");
    await using detached = held(await board.tryPull("InProgress", { ttl: 1000 }));
    // A puller that gives up after more than two ttls is as good as a clock.
    await expect(board.pull("InProgress", { maxWait: 2500 })).rejects.toMatchObject({ reason: "WAIT_TIMEOUT" });
    expect(stream.valid).toBe(true);
    expect(detached.valid).toBe(true);
    expect(await detached.finish()).toMatchObject({ state: "finished" });
  });

  it("takes its work up again over another connection, at whatever the connection was cut", async () => {
    const { board, farBoard, proxy, events } = await setup();
    const { id } = await board.add({ title: "one" });
    const work = await farBoard.pull("InProgress");
    for (let cuts = 0; cuts < 3; cuts += 1) {
      proxy.cut();
      while ((await events.next()).kind !== "work-resumed");
    }
    expect(work.valid).toBe(true);
    expect(await work.finish("in time")).toMatchObject({ id, state: "finished", result: "in time", attempt: 1 });
  });

  it("gets its old place back when the connection is lost while it waits", async () => {
    const { board, farBoard, proxy } = await setup();
    const places = createMailbox<PullNotice>();
    const finish = (work: Work) => work.finish();
    const early = farBoard.pull("InProgress", { onWaiting: places.put }).then(finish);
    await places.next();
    const behind = createMailbox<PullNotice>();
    const late = board.pull("InProgress", { onWaiting: behind.put }).then(finish);
    expect(await behind.next()).toMatchObject({ pullersAhead: 1 });
    proxy.cut();
    // It is sent its place anew when it has come back.
    expect(await places.next()).toMatchObject({ pullersAhead: 0 });
    await board.add({ title: "one" });
    await board.add({ title: "two" });
    expect(await Promise.all([early, late])).toMatchObject([{ title: "one" }, { title: "two" }]);
  });

  it("is notified when the server is about to stop, and the server waits until it has finished", async () => {
    const { server, board } = await setup(`drain: { timeout: 1h }\n${BOARD}`);
    await board.add({ title: "one" });
    const draining = createMailbox<{ endTime: Date }>();
    const work = await board.pull("InProgress", { onDraining: draining.put });
    const stopped = server.stop();
    expect((await draining.next()).endTime.getTime()).toBeGreaterThan(Date.now());
    expect(work.valid).toBe(true);
    await work.finish();
    await stopped;
  });
});

describe("a worker process that is killed", () => {
  it("leaves its card to the next, with another fencing token and one attempt more; its own finish changes nothing", async () => {
    // The next worker's card is valid for half of the ttl: long enough for a few calls on a busy machine.
    const { server, board } = await setup("boards: [{ name: release, ttl: 1s }]");
    const { id } = await board.add({ title: "one" });
    const killed = await startWorker(server.address);
    expect(killed.cardId).toBe(id);
    killed.child.kill("SIGKILL");

    const next = await board.pull("InProgress");
    expect(next.card).toMatchObject({ id, attempt: 2 });
    expect(next.fencingToken).toBeGreaterThan(killed.fencingToken);
    const before = await board.get(id);
    const stale = board.finish(id, { fencingToken: killed.fencingToken, result: "from the grave" });
    await expect(stale).rejects.toMatchObject({
      name: "AdmissionError",
      reason: "STALE_FENCING_TOKEN",
      code: "ABORTED",
      board: "release",
      card: id,
    });
    expect(await board.get(id)).toMatchObject({ etag: before.etag, state: "active", result: "", attempt: 2 });
    expect(next.valid).toBe(true);
    expect(await next.finish("by the next")).toMatchObject({ state: "finished", result: "by the next" });
  });
});

describe("a person's card", () => {
  it("stays theirs when their client is closed, and is finished from another process, with the token or without", async () => {
    const { server, board } = await setup("boards: [{ name: release, ttl: 0.1s }]");
    const cards = [await board.add({ title: "one" }), await board.add({ title: "two" })];
    const ana = connectForTest(server.address);
    const tokens: bigint[] = [];
    for (const { id } of cards) {
      const work = held(await ana.board("release").tryPull("InProgress", { worker: "ana", cardId: id }));
      expect(work.card.lease).toMatchObject({ worker: "ana", ttlMs: undefined });
      tokens.push(work.fencingToken);
    }
    await ana.close();
    // A puller that gives up after more than two ttls is as good as a clock.
    await expect(board.pull("InProgress", { maxWait: 250 })).rejects.toMatchObject({ reason: "WAIT_TIMEOUT" });

    const [first = "", second = ""] = cards.map(({ id }) => id);
    expect(await board.finish(first, { fencingToken: tokens[0] ?? 0n, result: { ok: 1 } })).toMatchObject({
      state: "finished",
      result: '{"ok":1}',
    });
    await expect(board.finish(second, { fencingToken: tokens[0] ?? 0n })).rejects.toMatchObject({ code: "ABORTED" });
    expect(await board.sendBack(second, { reason: "too vague" })).toMatchObject({ reason: "too vague" });
  });

  it("is not to be ended without its token, if it is no person's", async () => {
    const { board } = await setup();
    const { id } = await board.add({ title: "one" });
    await using work = await board.pull("InProgress");
    await expect(board.finish(id)).rejects.toMatchObject({ reason: "STALE_FENCING_TOKEN" });
    expect(work.valid).toBe(true);
  });
});

describe("the cards of a real board", () => {
  it("are added once, found by stage and state, changed under an etag, and removed", async () => {
    const { board } = await setup();
    const card = { id: "#1", title: "one", data: [1, 2], priority: 3 };
    expect(await board.add(card)).toMatchObject({ ...card, data: "[1,2]", stage: "Ready", state: "waiting" });
    expect(await board.add(card)).toMatchObject({ id: "#1" });
    await expect(board.add({ ...card, title: "two" })).rejects.toMatchObject({ reason: "CARD_EXISTS", card: "#1" });
    for (let i = 2; i <= 8; i += 1) await board.add({ id: `#${i}` });

    const ids = async (options: Parameters<BoardClient["list"]>[0]) => {
      const all: string[] = [];
      for await (const { id } of board.list(options)) all.push(id);
      return all;
    };
    expect(await ids({ pageSize: 3 })).toEqual(["#1", "#2", "#3", "#4", "#5", "#6", "#7", "#8"]);
    expect(await ids({ stage: "Backlog" })).toEqual(["#6", "#7", "#8"]);
    expect(await ids({ states: ["active"] })).toEqual([]);

    const { etag } = await board.get("#8");
    expect(await board.update("#8", { title: "eight", priority: 9 }, { etag })).toMatchObject({ title: "eight" });
    await expect(board.update("#8", { title: "acht" }, { etag })).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    expect(await board.update("#8", { title: null })).toMatchObject({ title: "", priority: 9 });
    await board.remove("#8");
    await expect(board.get("#8")).rejects.toMatchObject({ reason: "CARD_NOT_FOUND", board: "release", card: "#8" });

    const { board: shown, cards } = await board.snapshot();
    expect(shown.status.cards).toBe(7);
    expect(cards).toHaveLength(7);
    const { stages, samples } = await board.flow();
    expect(stages).toEqual(["Backlog", "Ready", "InProgress", "Review", "Done"]);
    expect(samples.at(-1)?.cards).toHaveLength(stages.length);
    expect(samples.at(-1)?.time.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it("are watched over connections that break, with no change missed", async () => {
    const { board, farBoard, proxy } = await setup();
    await board.add({ id: "#1" });
    const kinds: string[] = [];
    const states = new Map<string, string>();
    const seen = createMailbox<string>();
    const watching = (async () => {
      for await (const { kind, changed, removed, cards } of farBoard.watch()) {
        kinds.push(kind);
        for (const { id, state } of changed) states.set(id, state);
        for (const id of removed) states.delete(id);
        expect([...cards.values()].map(({ id, state }) => [id, state]).sort()).toEqual([...states].sort());
        seen.put([...cards.keys()].sort().join(" "));
        if (cards.size === 0) return;
      }
    })();
    expect(await seen.next()).toBe("#1");
    proxy.cut();
    await board.add({ id: "#2" });
    await board.add({ id: "#3" });
    await board.remove("#1");
    while ((await seen.next()) !== "#2 #3");
    proxy.cut();
    await board.remove("#2");
    await board.remove("#3");
    await watching;
    expect(kinds.slice(1)).not.toContain("snapshot");
  });
});

describe("a work loop over a real board", () => {
  const QUICK = { initialDelay: 20, maxDelay: 200 };

  it("brings every card through the stages, though connections break, and never goes beyond a limit", async () => {
    const { client, board, farBoard, proxy } = await setup(
      "boards: [{ name: release, ttl: 0.5s, max_attempts: 1000 }]",
    );
    const limits = new Map([
      ["Ready", 5],
      ["InProgress", 3],
      ["Review", 2],
    ]);
    const done = new Map<string, string>();
    let worked = 0;
    const watching = (async () => {
      for await (const { board: shown, cards } of board.watch()) {
        for (const { name, status } of shown.stages) {
          expect(status.cards, name).toBeLessThanOrEqual(limits.get(name) ?? Number.POSITIVE_INFINITY);
        }
        for (const { id, state, result } of cards.values()) if (state === "completed") done.set(id, result);
        if (done.size === 30) return;
      }
    })();
    const handler = async (card: Card) => {
      worked += 1;
      if (worked % 10 === 0) proxy.cut();
      return `${card.result}${card.stage[0]}`;
    };
    const options = { concurrency: 3, backoff: QUICK };
    const loops = [
      farBoard.work("InProgress", handler, options),
      board.work("InProgress", handler, options),
      farBoard.work("Review", handler, options),
    ];
    const ids = Array.from({ length: 30 }, (_, i) => `#${i}`);
    await Promise.all(ids.map((id) => board.add({ id })));
    await watching;
    await Promise.all(loops.map((loop) => loop.stop()));
    expect([...done.keys()].sort()).toEqual(ids.sort());
    expect(new Set(done.values())).toEqual(new Set(["IR"]));
    expect((await client.boards.get("release")).status).toMatchObject({ completed: 30, cards: 0, completedCount: 30 });
  });

  it("tries a card that fails so often as the board allows, and goes on with the others", async () => {
    const { board } = await setup("boards: [{ name: release, max_attempts: 3 }]");
    await board.add({ id: "poison", priority: 1 });
    await board.add({ id: "good" });
    const attempts: number[] = [];
    await using loop = board.work(
      "InProgress",
      (card) => {
        if (card.id !== "poison") return "done";
        attempts.push(card.attempt);
        throw new Error("no way");
      },
      { concurrency: 2, backoff: QUICK },
    );
    const card = await until(board, "poison", ({ state }) => state === "blocked");
    expect(card).toMatchObject({ stage: "InProgress", reason: "blocked after 3 attempts: no way" });
    expect(attempts).toEqual([1, 2, 3]);
    await until(board, "good", ({ state }) => state === "finished");
    await loop.stop();
  });

  it("gives the cards back that it has no time for, when it is stopped", async () => {
    const { board } = await setup();
    await board.add({ id: "#1" });
    const begun = createMailbox<Card>();
    const loop = board.work("InProgress", (card, signal) => {
      begun.put(card);
      return aborted(signal);
    });
    await begun.next();
    await loop.stop({ grace: 10 });
    expect(await board.get("#1")).toMatchObject({
      stage: "InProgress",
      state: "waiting",
      reason: "its worker was stopped before it was done",
    });
  });

  it("ends with an error where there is no such stage", async () => {
    const { board } = await setup();
    await expect(board.work("Nowhere", () => {}).stopped).rejects.toMatchObject({ reason: "STAGE_NOT_FOUND" });
    await expect(board.work("Backlog", () => {}).stopped).rejects.toMatchObject({ reason: "FIRST_STAGE" });
  });

  it("works through a queue that does not pull by itself: it commits each card", async () => {
    const { client } = await setup();
    await client.boards.create({
      name: "triage",
      stages: [
        { name: "Ideas" },
        { name: "Ready", kind: "queue", autoPull: false, wipLimit: 2 },
        { name: "Done", autoPull: false },
      ],
    });
    const triage = client.board("triage");
    const committed: string[] = [];
    await using _ = triage.work("Ready", (card, _signal, work) => {
      expect(work.held).toBe(false);
      committed.push(card.id);
    });
    for (const id of ["#1", "#2", "#3"]) await triage.add({ id });
    await until(triage, "#2", ({ stage }) => stage === "Ready");
    expect(committed).toEqual(["#1", "#2"]);
    expect(await triage.get("#3")).toMatchObject({ stage: "Ideas" });
  });
});

describe("work that is forgotten", () => {
  async function forgetAs(how: "worker" | "person") {
    const { server, board } = await setup();
    const { id } = await board.add({ title: "one" });
    const script = fileURLToPath(new URL("../support/forgetful-worker.ts", import.meta.url));
    const args = ["--expose-gc", "--no-warnings", script, server.address, "release", "InProgress", how];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 });
    return { id, said: JSON.parse(stdout) };
  }

  it("is given back when its handle is garbage, with a warning that names the card", async () => {
    const { id, said } = await forgetAs("worker");
    expect(said).toMatchObject({ state: "waiting", attempt: 0 });
    expect(said.message).toContain(`work on card ${id} of board release was collected as garbage before it was ended`);
  });

  it("stays a person's, if it is that, without a word", async () => {
    expect((await forgetAs("person")).said).toEqual({ state: "active", attempt: 1 });
  });
});
