/** The port's words, held to every engine that stands behind it. */

import { afterAll, describe, test } from "vitest";
import { BATTERY } from "./battery.ts";
import { stageEmbedded, stageOnDisk } from "./engines/embedded.ts";
import { startEngineThread } from "./engines/remote.ts";

const thread = startEngineThread();
afterAll(() => thread[Symbol.asyncDispose]());

describe.each([
  { engine: "an embedded engine in memory", start: () => stageEmbedded() },
  { engine: "an embedded engine over SQLite", start: stageOnDisk },
  { engine: "a remote engine in a thread of its own", start: () => thread.stage() },
])("$engine", ({ start }) => {
  describe.each(Object.entries(BATTERY))("%s", (_, cases) => {
    test.each(cases)("$name", async ({ play }) => {
      await using stage = await start();
      await play(stage);
    });
  });
});
