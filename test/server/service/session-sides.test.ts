import { expect, test } from "vitest";
import type { BoardAsk, BoardEngine } from "../../../src/server/engine/board-engine.ts";
import type { Ask, Engine } from "../../../src/server/engine/engine.ts";
import { createIds } from "../../../src/server/ids.ts";
import type { SideOptions } from "../../../src/server/service/session/limiter-side.ts";
import { createSides } from "../../../src/server/service/session/sides.ts";

type Answered = { readonly kind: string; readonly answer: (value: never) => void };

/** An engine that answers when the test says so. */
function createHeldEngine() {
  const asked: Answered[] = [];
  const engine = {
    submit: ({ kind }: Ask | BoardAsk, answer: (value: never) => void) => asked.push({ kind, answer }),
    openStream: () => 1,
    closeStream: () => {},
  };
  return {
    engine: engine as unknown as Engine & BoardEngine,
    kinds: () => asked.map(({ kind }) => kind),
    answerLast: (value: unknown) => asked.at(-1)?.answer(value as never),
  };
}

const OPTIONS = {
  sessionId: "session",
  by: () => ({ caller: "token:ci", bounds: undefined }),
  monitored: true,
  keepOnCancel: true,
  ids: createIds(),
  outbox: { unsent: () => new Set() },
} as unknown as SideOptions;

test("a session that is left while it is taken up again is left at both engines, and opened at neither", () => {
  const limiters = createHeldEngine();
  const boards = createHeldEngine();
  const sides = createSides({ engine: limiters.engine, boards: boards.engine }, OPTIONS);
  const resumed: unknown[] = [];
  sides.resume((what) => resumed.push(what));
  limiters.answerLast({ kind: "refused", reason: "SESSION_NOT_FOUND" });
  sides.leave("lost");
  expect(boards.kinds()).toEqual(["resume-session", "leave-session"]);
  expect(limiters.kinds()).toEqual(["resume-session", "leave-session"]);
  expect(resumed).toEqual([]);
});

test("a session that has cards alone is opened anew for limiters", () => {
  const limiters = createHeldEngine();
  const boards = createHeldEngine();
  const sides = createSides({ engine: limiters.engine, boards: boards.engine }, OPTIONS);
  const resumed: unknown[] = [];
  sides.resume((what) => resumed.push(what));
  limiters.answerLast({ kind: "refused", reason: "SESSION_NOT_FOUND" });
  boards.answerLast({ kind: "session-resumed", cards: [] });
  expect(limiters.kinds()).toEqual(["resume-session", "open-session"]);
  limiters.answerLast({ kind: "done" });
  expect(resumed).toEqual([{ leaseIds: [], cards: [] }]);
});
