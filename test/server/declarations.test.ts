/** Files that are taken up one after the other, however fast they change. */

import { describe, expect, test } from "vitest";
import { type LoadedConfig, parseConfig } from "../../src/server/config/config.ts";
import { createDeclarations } from "../../src/server/declarations.ts";
import { createEmbeddedBoardEngine } from "../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../src/server/engine/embedded/embedded-engine.ts";
import { createMemoryStore } from "../../src/server/store/memory-store.ts";
import type { Store } from "../../src/server/store/store.ts";
import { alwaysThere } from "../support/always-there.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryLog } from "./transport/support/memory-log.ts";

function fileOf(permits: number, count = 1_000): LoadedConfig {
  return load(`limiters:\n${linesOf(count, permits)}boards: [{ name: b, description: "${permits}" }]\n`);
}

function linesOf(count: number, permits = 1): string {
  return Array.from({ length: count }, (_, i) => `  - { name: l${i}, max_concurrent: ${permits} }\n`).join("");
}

function load(text: string): LoadedConfig {
  const config = parseConfig(text, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  return config;
}

function setUp(store: Store = createMemoryStore()) {
  const clock = createFakeClock();
  const engine = createEmbeddedEngine({ clock, store, machine: { maxWaiters: 10 } });
  const boards = createEmbeddedBoardEngine({ clock, store, limiters: engine });
  const log = createMemoryLog();
  const declarations = createDeclarations({ engine, boards, log });
  const messages = () => log.lines.map(({ message }) => message);
  const declared = () => messages().filter((message) => message === "limiters declared").length;
  const turn = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(0);
  };
  const permits = async () => {
    const { items } = await engine.limiters({ after: "", limit: 1_000 });
    return [...new Set(items.map(({ config }) => config.maxConcurrent))];
  };
  return { engine, boards, log, declarations, messages, declared, turn, permits };
}

test("of files that come while one is taken up the last is taken up after it, whole", async () => {
  const { boards, declarations, messages, declared, turn, permits } = setUp();
  declarations.takeUpAtStart(fileOf(1));
  await turn();
  expect([await permits(), declared()]).toEqual([[1], 1]);
  declarations.takeUp(fileOf(2));
  await turn();
  // The control: it is in the middle of it.
  expect(await permits()).toEqual([2, 1]);
  declarations.takeUp(fileOf(3));
  declarations.takeUp(fileOf(4));
  while (declared() < 2) await turn();
  for (const names of [await permits()]) expect(names).not.toContain(1);
  while (declared() < 3) await turn();
  expect(await permits()).toEqual([4]);
  expect((await boards.board("b"))?.config.description).toBe("4");
  for (let i = 0; i < 50; i++) await turn();
  expect(declared()).toBe(3);
  expect(messages().filter((message) => message.includes("once the one before is"))).toHaveLength(2);
});

/** A board whose stage names the last limiter of the file. */
function fileWithStage(limiter: string, others: number): LoadedConfig {
  return load(
    `limiters:\n${linesOf(others)}  - { name: ${limiter}, max_concurrent: 1 }\n` +
      `boards: [{ name: b, description: ${limiter}, stages: [{ name: Todo, kind: QUEUE }, ` +
      `{ name: Doing, kind: WORK, limiter: ${limiter} }, { name: Done, kind: QUEUE }] }]\n`,
  );
}

describe.each([
  { size: "in slices", others: 300 },
  { size: "at one instant", others: 3 },
])("a file that is taken up $size, and calls a limiter and the stage's by another name", ({ others }) => {
  test("has its boards when all its limiters are there, and none has gone: no puller in a queue is refused", async () => {
    const { engine, boards, declarations, turn } = setUp();
    declarations.takeUpAtStart(fileWithStage("old", others));
    await turn();
    const claims = [{ limiter: "old", key: "", permits: 1, tokens: 1, slots: false }];
    const lease = {
      kind: "try-acquire",
      id: "lease",
      claims,
      holder: "h",
      ttl: undefined,
      requestId: "",
      session: undefined,
    } as const;
    engine.submit(lease, (outcome) => expect(outcome.kind).toBe("granted"), alwaysThere);
    const heard: unknown[] = [];
    const stream = boards.openStream((news) => heard.push(news.kind), alwaysThere);
    const content = { title: "", description: "", data: "", priority: 0 };
    const pull = {
      kind: "pull",
      id: "pull",
      board: "b",
      stage: "Doing",
      worker: "w",
      maxWait: undefined,
      ttl: undefined,
      requestId: "",
      stream,
      monitored: true,
      keepOnCancel: false,
      detached: false,
      cardId: undefined,
      session: undefined,
    } as const;
    boards.submit({ kind: "add-card", board: "b", id: "c", content }, ({ kind }) => heard.push(kind), alwaysThere);
    boards.submit(pull, ({ kind }) => heard.push(kind), alwaysThere);
    const waiting = ["card", "pull-waiting", "pull-waiting"];
    // The second is the limiter's own reason.
    expect([heard, (await engine.limiter("old", ""))?.status.waiters]).toEqual([waiting, 1]);
    declarations.takeUp(fileWithStage("new", others));
    for (;;) {
      const old = await engine.limiter("old", "");
      if ((await boards.board("b"))?.config.description === "new") break;
      expect(old).toMatchObject({ deleting: false });
      await turn();
    }
    expect(await engine.limiter("new", "")).toBeDefined();
    while ((await engine.limiter("old", ""))?.deleting === false) await turn();
    await turn();
    expect(heard.filter((kind) => kind !== "moved")).toEqual([...waiting, "pulled"]);
  });
});

describe("a file is not in force", () => {
  test("while it is taken up after a refusal, so that a declaration made then is taken up once more", async () => {
    const { engine, declarations, declared, turn, messages } = setUp();
    const keyed = (isKeyed: boolean) =>
      load(`limiters:\n  - { name: db, max_concurrent: 1, keyed: ${isKeyed} }\n${linesOf(300)}`);
    declarations.takeUpAtStart(keyed(false));
    await turn();
    expect(declarations.isInForce).toBe(true);
    const claims = [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }];
    engine.submit(
      { kind: "try-acquire", id: "lease", claims, holder: "h", ttl: undefined, requestId: "", session: undefined },
      (outcome) => expect(outcome.kind).toBe("granted"),
      alwaysThere,
    );
    declarations.takeUp(keyed(true));
    while (declared() < 2) await turn();
    expect(messages().filter((message) => message.includes("keyed is not changed while"))).toHaveLength(1);
    expect(declarations.isInForce).toBe(false);
    declarations.takeUp(keyed(true));
    // The limiter is looked at by now, and refused again.
    await turn();
    engine.submit(
      { kind: "release", leaseId: "lease", workOutcome: "success", session: undefined },
      (outcome) => expect(outcome.kind).toBe("ended"),
      alwaysThere,
    );
    expect([declarations.isInForce, declared()]).toEqual([false, 2]);
    declarations.takeUp(keyed(true));
    while (declared() < 4) await turn();
    expect(await engine.limiter("db", "")).toMatchObject({ config: { keyed: true } });
    await turn();
    expect(declarations.isInForce).toBe(true);
  });

  test("at the start before it is kept, and a file that comes meanwhile is taken up after it", async () => {
    let keep = () => {};
    const kept = new Promise<void>((resolve) => {
      keep = resolve;
    });
    const { declarations, declared, turn, permits } = setUp({ ...createMemoryStore(), keep: () => kept });
    declarations.takeUpAtStart(fileOf(1, 3));
    await turn();
    // It decides by it all the same.
    expect([await permits(), declared(), declarations.isInForce]).toEqual([[1], 0, false]);
    declarations.takeUp(fileOf(2, 3));
    await turn();
    expect(await permits()).toEqual([1]);
    keep();
    while (declared() < 2) await turn();
    await turn();
    expect([await permits(), declarations.isInForce]).toEqual([[2], true]);
  });
});

test("a server that stops in the middle says how far it came, and that the next start takes up the rest", async () => {
  const { engine, log, declarations, messages, turn } = setUp();
  declarations.takeUpAtStart(fileOf(1));
  await turn();
  declarations.takeUp(fileOf(2));
  await turn();
  await engine.close();
  while (!messages().some((message) => message.includes("the next start takes up all of it"))) await turn();
  const { applied, total } = log.lines.at(-1)?.fields ?? {};
  expect(total).toBe(1_000);
  expect(applied).toBeGreaterThan(0);
  expect(applied).toBeLessThan(1_000);
  expect(declarations.isInForce).toBe(false);
});
