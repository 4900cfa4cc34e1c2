/** The embedded engines, over a store in memory or SQLite's. */

import { createEmbeddedBoardEngine } from "../../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../../src/server/engine/embedded/embedded-engine.ts";
import { openDurableStore } from "../../../src/server/store/durable-store.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import type { Store } from "../../../src/server/store/store.ts";
import { createFolder } from "../../server/store/support/folder.ts";
import { createMemoryLog } from "../../server/transport/support/memory-log.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";
import { BEGIN, type Stage } from "../stage.ts";
import { createHeldStore } from "./held-store.ts";

export interface EmbeddedOptions {
  readonly clock?: FakeClock;
  readonly store?: Store;
  /** Resolves when the store has kept all that it was given. */
  readonly kept?: () => Promise<void>;
  /** False: what is kept is not waited for, which is a fault. */
  readonly isAwaited?: boolean;
}

export async function stageEmbedded({
  clock = createFakeClock(),
  store = createMemoryStore(),
  kept = async () => {},
  isAwaited = true,
}: EmbeddedOptions = {}): Promise<Stage> {
  const held = createHeldStore(store, isAwaited);
  const engine = createEmbeddedEngine({ clock, store: held, machine: { maxWaiters: 1_000 }, keepsHistory: true });
  const boards = createEmbeddedBoardEngine({ clock, store: held, limiters: engine });
  const close = async () => {
    await boards.close();
    await engine.close();
  };
  const calm = async () => {
    await turn();
    await kept();
    await turn();
  };
  return {
    engine,
    boards,
    calm,
    async pass(micros) {
      clock.advance(micros);
      await calm();
    },
    async hold() {
      held.hold();
    },
    async letGo() {
      held.letGo();
      await calm();
    },
    lose: close,
    async [Symbol.asyncDispose]() {
      await close();
      await store.close();
    },
  };
}

/** Over a data folder of its own. */
export async function stageOnDisk(): Promise<Stage> {
  const folder = createFolder();
  const clock = createFakeClock();
  const store = await openDurableStore({
    ...{ clock, log: createMemoryLog(), folder: folder.path, maxMegabytes: 64, acceptLoss: false },
    epoch: BEGIN * 1_000,
    leases: "disk",
    onFatal(message) {
      throw new Error(message);
    },
  });
  let reserved = 0;
  // Commits are made one after the other: this one is the last.
  const kept = () => {
    reserved += 1;
    return store.reserve(reserved);
  };
  const stage = await stageEmbedded({ clock, store, kept });
  return {
    ...stage,
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
