/** The spans of what sampled requests wait for and hold, as an engine makes them, whatever becomes of the requests. */

import { describe, expect, test } from "vitest";
import type { BoardAnswerTo, BoardAsk } from "../../../src/server/engine/board-engine.ts";
import { createEmbeddedBoardEngine } from "../../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../../src/server/engine/embedded/embedded-engine.ts";
import type { Ask } from "../../../src/server/engine/engine.ts";
import type { PullCard } from "../../../src/server/machine/board/command.ts";
import type { Acquire, TryAcquire } from "../../../src/server/machine/limiter/command.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import type { TraceContext } from "../../../src/server/tracing/trace-context.ts";
import { limiterOf } from "../../support/limiter-config.ts";
import { boardOf, contentOf, queue, work } from "../machine/board/boards.ts";
import { createTracerScene } from "../tracing/support.ts";

const TRACE: TraceContext = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", state: "" };
const IGNORE = () => {};
const REQUEST_ID = "a-request-of-sixteen";

function setUp({ isTraced = true } = {}) {
  const scene = createTracerScene();
  const { clock, tracer } = scene;
  const store = createMemoryStore();
  const engine = createEmbeddedEngine({ clock, store, machine: { maxWaiters: 10 }, tracer });
  const submit = (command: Ask, trace?: TraceContext) => engine.submit(command, IGNORE, IGNORE, trace);
  const stream = engine.openStream(IGNORE, IGNORE);
  const claims = [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }];
  const request = { claims, holder: "me", ttl: undefined, requestId: "" };
  engine.submit(
    { kind: "create-limiter", config: limiterOf({ name: "db", maxConcurrent: 1, ttl: 1_000 }) },
    IGNORE,
    IGNORE,
  );

  return {
    ...scene,
    get told() {
      return scene.told;
    },
    engine,
    submit,
    stream,
    acquire(id: string, about: Partial<Acquire> = {}) {
      const own = { stream, monitored: true, keepOnCancel: false, session: undefined, maxWait: undefined };
      submit({ kind: "acquire", id, ...request, ...own, ...about }, isTraced ? TRACE : undefined);
    },
    tryAcquire(id: string, about: Partial<TryAcquire> = {}) {
      submit({ kind: "try-acquire", id, ...request, session: undefined, ...about }, isTraced ? TRACE : undefined);
    },
    release: (leaseId: string) => submit({ kind: "release", leaseId, workOutcome: "success", session: undefined }),
    leave: (id: string) => submit({ kind: "leave", id, stream, how: "cancelled" }),
  };
}

describe("a request for a lease", () => {
  test("waits, which is told at its grant, and holds, which is told at its end", () => {
    const { acquire, release, clock, spans } = setUp();
    acquire("first");
    clock.advance(100);
    acquire("second");
    clock.advance(300);
    release("first");
    const told = () => spans.map(({ name, attributes }) => [name, attributes["backpressure.lease.id"]]);
    expect(told()).toEqual([
      ["backpressure.wait", "first"],
      // Granted in the step that freed the permit.
      ["backpressure.wait", "second"],
      ["backpressure.hold", "first"],
    ]);
    expect(spans[1]).toMatchObject({
      ...{ parentSpanId: TRACE.spanId, context: { traceId: TRACE.traceId }, kind: "internal" },
      ...{ start: clock.wallTime(100), end: clock.wallTime(400) },
      attributes: {
        "backpressure.limiters": ["db"],
        "backpressure.permits": [1],
        "backpressure.tokens": [1],
        "backpressure.wait.end": "granted",
      },
    });
    clock.advance(50);
    release("second");
    expect(spans[3]).toMatchObject({ start: clock.wallTime(400), end: clock.wallTime(450) });
    expect(spans[3]?.attributes).toMatchObject({
      "backpressure.hold.end": "released",
      "backpressure.lease.id": "second",
    });
  });

  test("that is not sampled has no span, nor has what stands beside one that is", () => {
    const { acquire, release, spans } = setUp({ isTraced: false });
    acquire("first");
    release("first");
    expect(spans).toEqual([]);
    const scene = setUp();
    scene.acquire("sampled");
    scene.submit({
      ...{ kind: "acquire", id: "other", claims: [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }] },
      ...{ holder: "", ttl: undefined, requestId: "", session: undefined, maxWait: undefined },
      ...{ stream: scene.stream, monitored: true, keepOnCancel: false },
    } as Ask);
    scene.release("sampled");
    scene.release("other");
    expect(scene.told.map(([name, , end]) => [name, end])).toEqual([
      ["backpressure.wait", "granted"],
      ["backpressure.hold", "released"],
    ]);
  });

  test.each<[string, (scene: ReturnType<typeof setUp>) => void, readonly unknown[]]>([
    ["is refused at once", ({ acquire }) => acquire("late", { maxWait: 0 }), [0, "refused", "CONCURRENCY_EXHAUSTED"]],
    [
      "has waited for as long as it would",
      ({ acquire, clock }) => {
        acquire("late", { maxWait: 500 });
        clock.advance(500);
      },
      [500, "refused", "WAIT_TIMEOUT"],
    ],
    [
      "is cancelled",
      ({ acquire, leave, clock }) => {
        acquire("late");
        clock.advance(200);
        leave("late");
      },
      [200, "left"],
    ],
    [
      "is withdrawn after its connection was lost",
      ({ acquire, submit, stream, clock }) => {
        acquire("late", { requestId: REQUEST_ID, keepOnCancel: true });
        submit({ kind: "leave", id: "late", stream, how: "lost" });
        clock.advance(200);
        submit({ kind: "withdraw", requestId: REQUEST_ID, workOutcome: "ignored" });
      },
      [200, "left"],
    ],
    [
      "is taken out by an operator",
      ({ acquire, submit }) => {
        acquire("late");
        submit({ kind: "cancel-waiter", waiterId: "late" });
      },
      [0, "refused", "WAITER_CANCELLED"],
    ],
    [
      "waits when the server stops",
      ({ acquire, engine, clock }) => {
        acquire("late");
        clock.advance(70);
        void engine.close();
      },
      [70, "server-stopped"],
    ],
  ])("that %s has waited, and held nothing", (_what, happen, expected) => {
    const scene = setUp();
    scene.acquire("first");
    happen(scene);
    expect(scene.told.slice(1).filter(([name]) => name === "backpressure.wait")).toEqual([
      ["backpressure.wait", ...expected],
    ]);
  });

  test("that comes again under its request id goes on waiting in one span", () => {
    const scene = setUp();
    const { acquire, submit, stream, clock, release } = scene;
    acquire("first");
    acquire("lost", { requestId: REQUEST_ID });
    submit({ kind: "leave", id: "lost", stream, how: "lost" });
    clock.advance(100);
    acquire("again", { requestId: REQUEST_ID });
    clock.advance(100);
    release("first");
    release("lost");
    expect(scene.told.map(([name, , end]) => [name, end])).toEqual([
      ["backpressure.wait", "granted"],
      ["backpressure.wait", "granted"],
      ["backpressure.hold", "released"],
      ["backpressure.hold", "released"],
    ]);
  });
});

describe("a lease", () => {
  test.each<[string, (scene: ReturnType<typeof setUp>) => void, readonly unknown[]]>([
    ["released", ({ release }) => release("lease"), [0, "released"]],
    ["cancelled with its stream", ({ leave }) => leave("lease"), [0, "cancelled"]],
    [
      "expired",
      ({ submit, stream, clock }) => {
        submit({ kind: "leave", id: "lease", stream, how: "lost" });
        clock.advance(1_000);
      },
      [1_000, "expired"],
    ],
    ["revoked", ({ submit }) => submit({ kind: "revoke", leaseId: "lease", force: true, message: "" }), [0, "revoked"]],
    [
      "deleted with its limiter",
      ({ submit }) => submit({ kind: "delete-limiter", name: "db", revision: undefined, force: true }),
      [0, "deleted"],
    ],
    ["held when the server stops", ({ engine }) => void engine.close(), [0, "server-stopped"]],
  ])("that is %s says so", (_what, end, expected) => {
    const scene = setUp();
    scene.acquire("lease");
    end(scene);
    expect(scene.told).toEqual([
      ["backpressure.wait", 0, "granted"],
      ["backpressure.hold", ...expected],
    ]);
  });

  test("of TryAcquire never waited", () => {
    const scene = setUp();
    scene.tryAcquire("lease");
    scene.tryAcquire("refused");
    scene.clock.advance(10);
    scene.release("lease");
    expect(scene.told).toEqual([["backpressure.hold", 10, "released"]]);
  });
});

test("10,000 are followed at once, and none beyond", () => {
  const scene = setUp();
  const { engine, submit } = scene;
  engine.submit({ kind: "create-limiter", config: limiterOf({ name: "many", maxConcurrent: 20_000 }) }, IGNORE, IGNORE);
  for (let at = 0; at < 10_001; at += 1) {
    const claims = [{ limiter: "many", key: "", permits: 1, tokens: 1, slots: false }];
    const command = {
      kind: "try-acquire",
      id: `lease-${at}`,
      claims,
      holder: "",
      ttl: undefined,
      requestId: "",
    } as const;
    submit({ ...command, session: undefined }, TRACE);
  }
  void engine.close();
  expect(scene.told.length).toBe(10_000);
});

describe("a pull", () => {
  function setUpBoard() {
    const scene = createTracerScene();
    const { clock, tracer } = scene;
    const store = createMemoryStore();
    const limiters = createEmbeddedEngine({ clock, store, machine: { maxWaiters: 10 } });
    const boards = createEmbeddedBoardEngine({ clock, store, limiters, tracer });
    const stream = boards.openStream(IGNORE, IGNORE);
    const submit = (command: BoardAsk, trace?: TraceContext) => boards.submit(command, IGNORE, IGNORE, trace);
    let token = 0;
    submit({ kind: "create-board", config: boardOf({ stages: [queue("todo"), work("doing", 2), queue("done")] }) });
    return {
      scene,
      boards,
      submit,
      add: (id: string) => submit({ kind: "add-card", board: "b", id, content: contentOf() }),
      pull(id: string) {
        const asked = { board: "b", stage: "doing", worker: "w", maxWait: undefined, ttl: undefined, requestId: "" };
        const own = { stream, monitored: true, keepOnCancel: false, session: undefined, detached: false };
        const hear = (answer: BoardAnswerTo<PullCard>) => {
          if (answer.kind === "pulled") token = answer.card.work?.token ?? 0;
        };
        boards.submit({ kind: "pull", id, cardId: undefined, ...asked, ...own }, hear, IGNORE, TRACE);
      },
      end: (kind: "finish" | "give-back" | "send-back") =>
        submit({ kind, board: "b", cardId: "card", token, words: "", failed: false, session: undefined }),
      leave: (id: string) => submit({ kind: "leave-pull", id, stream, how: "cancelled", unheard: false }),
    };
  }

  type Parts = ReturnType<typeof setUpBoard>;

  test("waits for a card, which is told when it has one", () => {
    const { scene, add, pull } = setUpBoard();
    pull("work");
    scene.clock.advance(250);
    add("card");
    expect(scene.told).toEqual([["backpressure.wait", 250, "granted"]]);
    expect(scene.spans[0]?.attributes).toMatchObject({
      "backpressure.board": "b",
      "backpressure.stage": "doing",
      "backpressure.card.id": "card",
    });
  });

  test.each<[string, (parts: Parts) => void, readonly unknown[]]>([
    ["its stream is cancelled", ({ leave }) => leave("work"), ["left"]],
    [
      "the board is deleted",
      ({ submit }) => submit({ kind: "delete-board", name: "b", revision: undefined, force: true }),
      ["refused", "BOARD_NOT_FOUND"],
    ],
    ["the server stops", ({ boards }) => void boards.close(), ["server-stopped"]],
  ])("has waited when %s", (_what, happen, expected) => {
    const parts = setUpBoard();
    parts.pull("work");
    happen(parts);
    expect(parts.scene.told).toEqual([["backpressure.wait", 0, ...expected]]);
  });

  test.each<[string, (parts: Parts) => void, string]>([
    ["it is finished", ({ end }) => end("finish"), "finish"],
    ["it is given back", ({ end }) => end("give-back"), "give-back"],
    ["its stream is cancelled", ({ leave }) => leave("work"), "otherwise"],
    [
      "the board is deleted",
      ({ submit }) => submit({ kind: "delete-board", name: "b", revision: undefined, force: true }),
      "otherwise",
    ],
    ["the server stops", ({ boards }) => void boards.close(), "server-stopped"],
  ])("has held its card when %s", (_what, happen, expected) => {
    const parts = setUpBoard();
    parts.add("card");
    parts.pull("work");
    parts.scene.clock.advance(40);
    happen(parts);
    expect(parts.scene.told).toEqual([
      ["backpressure.wait", 0, "granted"],
      ["backpressure.hold", 40, expected],
    ]);
  });
});
