/** An engine that is lost: nothing that was asked is left without an answer. */

import { expect } from "vitest";
import { EngineUnavailable } from "../../../src/server/engine/engine.ts";
import { createScript } from "../script.ts";
import type { Case } from "../stage.ts";

export const UNAVAILABILITY: readonly Case[] = [
  {
    name: "fails what waits for an answer, of which it is unknown whether it was decided",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 5 });
      await script.createBoard({});
      script.fresh();
      await script.hold();
      void script.acquire("a");
      void script.tryAcquire("b");
      void script.add("one");
      await script.calm();
      await script.lose();
      expect(
        script
          .fresh()
          .filter((words) => !words.startsWith("stream of"))
          .sort(),
      ).toEqual([
        "a: unavailable, decided: unknown",
        "add one: unavailable, decided: unknown",
        "b: unavailable, decided: unknown",
      ]);
    },
  },
  {
    name: "fails every command, and rejects every read, from then on",
    async play(stage) {
      const script = createScript(stage);
      const { engine, boards } = script;
      await script.create({ maxConcurrent: 5 });
      await script.lose();
      script.fresh();
      void script.tryAcquire("a");
      void script.add("one");
      expect(script.fresh()).toEqual(["a: unavailable, decided: no", "add one: unavailable, decided: no"]);
      const query = { limiter: "", key: "", after: "", limit: 1 };
      const filter = { stage: "", states: [], order: "stages", ...query } as const;
      const reads = [
        () => engine.limiter("db", ""),
        () => engine.limiters(query),
        () => engine.leases(query),
        () => engine.knowsLease("a", "anonymous"),
        () => engine.waiters(query),
        () => engine.waiter("a"),
        () => boards.board("b"),
        () => boards.boards(query),
        () => boards.card("b", "one"),
        () => boards.cards("b", filter),
        () => boards.flow("b", 0),
        () => boards.delta("b", { sequence: 0, snapshotAt: 0 }),
        () => boards.working(),
        () => boards.place("p"),
      ];
      for (const read of reads) await expect(read()).rejects.toThrow(EngineUnavailable);
    },
  },
  {
    name: "is closed twice without harm",
    async play(stage) {
      const { engine, boards } = stage;
      for (const port of [engine, boards]) {
        await port.close();
        await port.close();
      }
    },
  },
];
