/** The disk keeps nothing: what needs it waits, and what does not is answered. A keeper whose commits are stuck stands for it. */

import { expect, test } from "vitest";
import type { BoardAsk } from "../../../src/server/engine/board-engine.ts";
import { createEmbeddedBoardEngine } from "../../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../../src/server/engine/embedded/embedded-engine.ts";
import type { Ask } from "../../../src/server/engine/engine.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import type { Store } from "../../../src/server/store/store.ts";
import { alwaysThere } from "../../support/always-there.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { limiterOf } from "../../support/limiter-config.ts";
import { boardOf, contentOf, queue, work } from "../machine/board/boards.ts";

const SECOND = 1_000_000;

/** A store that keeps nothing while it is stuck. */
function stuckStore(): Store & { stick(): void; freeUp(): Promise<void> } {
  const waiting: (() => void)[] = [];
  let stuck = false;
  return {
    ...createMemoryStore(),
    keep(changes) {
      if (!stuck || changes.length === 0) return undefined;
      return new Promise((resolve) => waiting.push(resolve));
    },
    stick() {
      stuck = true;
    },
    async freeUp() {
      stuck = false;
      for (const resolve of waiting.splice(0)) resolve();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function setUp() {
  const clock = createFakeClock();
  const store = stuckStore();
  const engine = createEmbeddedEngine({ clock, store, machine: { maxWaiters: 100, fencingEpoch: 0 } });
  const answers: string[] = [];
  const said: string[] = [];
  engine.submit({ kind: "create-limiter", config: limiterOf({ maxConcurrent: 2 }) }, () => {}, alwaysThere);
  return {
    clock,
    store,
    engine,
    answers,
    said,
    submit(name: string, command: Ask) {
      engine.submit(
        command,
        (outcome) => {
          answers.push(`${name}: ${outcome.kind === "refused" ? outcome.reason : outcome.kind}`);
        },
        alwaysThere,
      );
    },
    tryAcquire(id: string, requestId = "") {
      this.submit(id, tryAcquire(id, requestId));
    },
    wait(id: string, maxWait: number | undefined) {
      const stream = engine.openStream(
        (news) => said.push(`${id}: ${news.kind === "refused" ? news.reason : news.kind}`),
        alwaysThere,
      );
      const claims = [CLAIM];
      const asked = {
        holder: "",
        ttl: undefined,
        requestId: "",
        monitored: true,
        keepOnCancel: false,
        session: undefined,
      };
      this.submit(id, { kind: "acquire", id, claims, maxWait, stream, ...asked });
    },
    async held() {
      return (await engine.leases({ limiter: "", key: "", after: "", limit: 10 })).items.map(({ id }) => id);
    },
  };
}

const CLAIM = { limiter: "db", key: "", permits: 1, tokens: 0, slots: false };

function tryAcquire(id: string, requestId: string): Ask {
  return { kind: "try-acquire", id, claims: [CLAIM], holder: "", ttl: undefined, requestId, session: undefined };
}

test("a refusal is answered at once, though grants before it wait for the disk", async () => {
  const scene = setUp();
  const { store, answers } = scene;
  store.stick();
  scene.tryAcquire("first");
  scene.tryAcquire("second");
  scene.tryAcquire("third");
  scene.wait("fourth", 0);
  scene.submit("unknown", { ...tryAcquire("unknown", ""), claims: [{ ...CLAIM, limiter: "none" }] } as Ask);
  expect(answers).toEqual([
    "third: CONCURRENCY_EXHAUSTED",
    "fourth: CONCURRENCY_EXHAUSTED",
    "unknown: LIMITER_NOT_FOUND",
  ]);
  await store.freeUp();
  expect(answers.slice(3)).toEqual(["first: granted", "second: granted"]);
});

test("a waiter is refused with WAIT_TIMEOUT at its time, and hears nothing after it", async () => {
  const scene = setUp();
  scene.tryAcquire("first");
  scene.tryAcquire("second");
  scene.store.stick();
  scene.tryAcquire("taken", "a-request-of-some-caller");
  scene.submit("release", { kind: "release", leaseId: "first", workOutcome: "success", session: undefined });
  scene.tryAcquire("third");
  scene.wait("waiter", 2 * SECOND);
  scene.clock.advance(3 * SECOND);
  expect(scene.said).toEqual(["waiter: WAIT_TIMEOUT"]);
  await scene.store.freeUp();
  expect(scene.said).toEqual(["waiter: WAIT_TIMEOUT"]);
});

test("a caller that leaves before its grant is kept takes nothing: its permit is free at once, its request id, too", async () => {
  const scene = setUp();
  scene.store.stick();
  for (let each = 0; each < 50; each += 1) {
    scene.tryAcquire(`lease-${each}`, `request-${each}`);
    scene.submit("gone", { kind: "abandon", id: `lease-${each}`, requestId: `request-${each}` });
  }
  expect(await scene.held()).toEqual([]);
  scene.tryAcquire("again", "request-0");
  await scene.store.freeUp();
  expect(await scene.held()).toEqual(["again"]);
  expect(scene.answers.at(-1)).toBe("again: granted");
});

test("a grant that a retry was promised as well ends with the last of the two", async () => {
  const scene = setUp();
  scene.store.stick();
  scene.tryAcquire("lease", "one-request");
  scene.tryAcquire("retry", "one-request");
  const leave = (id: string) => scene.submit("gone", { kind: "abandon", id, requestId: "one-request" });
  leave("lease");
  expect(await scene.held()).toEqual(["lease"]);
  leave("retry");
  expect(await scene.held()).toEqual([]);
});

test("boards: refusals and renewals wait for no disk, and a caller that is gone has pulled nothing", async () => {
  const { clock, store, engine } = setUp();
  const boards = createEmbeddedBoardEngine({ clock, store, limiters: engine });
  const answers: string[] = [];
  const submit = (name: string, command: BoardAsk) =>
    boards.submit(
      command,
      (outcome) => {
        answers.push(`${name}: ${outcome.kind === "refused" ? outcome.reason : outcome.kind}`);
      },
      alwaysThere,
    );
  const pull = (id: string, requestId = "") =>
    submit(id, {
      kind: "pull",
      id,
      board: "b",
      stage: "doing",
      worker: "ann",
      maxWait: 0,
      ttl: 10 * SECOND,
      requestId,
      keepOnCancel: false,
      detached: true,
      cardId: undefined,
      stream: boards.openStream(() => {}, alwaysThere),
      monitored: true,
      session: undefined,
    });
  const stages = [queue("todo", undefined, { autoPull: false }), work("doing", 2), queue("done")];
  submit("create", { kind: "create-board", config: boardOf({ stages }) });
  for (const id of ["one", "two"]) submit(id, { kind: "add-card", board: "b", id, content: contentOf() });
  pull("held");
  const token = (await boards.card("b", "one"))?.work?.token ?? 0;
  answers.length = 0;
  store.stick();
  pull("gone", "request-that-is-cancelled");
  pull("third");
  submit("renew", { kind: "renew-work", board: "b", cardId: "one", token });
  expect(answers).toEqual(["third: STAGE_FULL", "renew: card"]);
  submit("abandon", { kind: "abandon-pull", id: "gone", requestId: "" });
  expect(await boards.card("b", "two")).toMatchObject({ state: "waiting", attempt: 0 });
});
