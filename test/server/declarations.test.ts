/** Files that are taken up one after the other, however fast they change. */

import { expect, test } from "vitest";
import { type LoadedConfig, parseConfig } from "../../src/server/config/config.ts";
import { createDeclarations } from "../../src/server/declarations.ts";
import { createEmbeddedBoardEngine } from "../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../src/server/engine/embedded/embedded-engine.ts";
import { createMemoryStore } from "../../src/server/store/memory-store.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryLog } from "./transport/support/memory-log.ts";

function fileOf(permits: number, count = 1_000): LoadedConfig {
  const limiters = Array.from({ length: count }, (_, i) => `  - { name: l${i}, max_concurrent: ${permits} }`);
  const text = `limiters:\n${limiters.join("\n")}\nboards: [{ name: b, description: "${permits}" }]\n`;
  const config = parseConfig(text, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  return config;
}

function setUp() {
  const clock = createFakeClock();
  const store = createMemoryStore();
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

test("boards are taken up when all limiters of their file are there, and none that is gone has gone", async () => {
  const { engine, boards, declarations, turn } = setUp();
  declarations.takeUpAtStart(fileOf(1));
  await turn();
  declarations.takeUp(fileOf(2, 1_500));
  for (;;) {
    const description = (await boards.board("b"))?.config.description;
    const last = await engine.limiter("l1499", "");
    if (description === "2") {
      expect(last).toBeDefined();
      break;
    }
    await turn();
  }
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
  expect(declarations.hasRefused).toBe(true);
});
