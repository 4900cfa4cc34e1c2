/** What a restart brings back of boards where something does not fit; the rest is `test/server/store/model/records.test.ts`. */

import { describe, expect, it } from "vitest";
import type { BoardCommand, BoardOutcomeOf } from "../../../../src/server/machine/board/command.ts";
import { assertBoards } from "../../../../src/server/machine/board/invariants.ts";
import { createBoardMachine } from "../../../../src/server/machine/board/machine.ts";
import type { BoardConfig, Card } from "../../../../src/server/machine/board/model.ts";
import { boardRecord, type CardRecord, cardRecord } from "../../../../src/server/machine/board/record.ts";
import { cardsNowhere } from "../../../../src/server/store/records/found.ts";
import { createKeptRows } from "../../store/support/kept-rows.ts";
import { SECOND } from "../builders.ts";
import { boardOf, contentOf, queue, work } from "./boards.ts";

const EPOCH = 1e15;

function createLife(config: Partial<BoardConfig> = {}) {
  const rows = createKeptRows();
  let machine = createBoardMachine({ epoch: EPOCH });
  let base = 0;
  let serial = 0;
  const life = {
    now: 0,
    step<C extends BoardCommand>(command: C): BoardOutcomeOf<C> {
      const { outcome, changes } = machine.step(command, life.now - base);
      rows.keep(changes, { epoch: EPOCH + base, ranBefore: 0 });
      assertBoards(machine.state);
      return outcome;
    },
    card: (id: string): Card | undefined => machine.state.boards.get("b")?.cards.get(id),
    add: (id: string) => life.step({ kind: "add-card", board: "b", id, content: contentOf() }),
    pull(stage: string, ttl: number | undefined = 10 * SECOND, keepOnCancel = false) {
      serial += 1;
      const [id, stream] = [`pull ${serial}`, serial];
      const rest = {
        maxWait: 0,
        ttl,
        requestId: "",
        monitored: true,
        keepOnCancel,
        detached: false,
        cardId: undefined,
        session: undefined,
      };
      return life.step({ kind: "pull", id, stream, board: "b", stage, worker: "w", ...rest });
    },
    finish(cardId: string) {
      life.step({
        kind: "finish",
        board: "b",
        cardId,
        token: life.card(cardId)?.work?.token ?? 0,
        words: "",
        failed: false,
        session: undefined,
      });
    },
    /** `config`: as which the board is found; undefined: as it was; null: not at all. */
    restart(downtime = 0, found?: BoardConfig | null) {
      life.now += downtime;
      base = life.now;
      const { boards } = rows.find(EPOCH + base);
      const records = found === null ? [] : boards.boards.map((board) => ({ ...board, config: found ?? board.config }));
      machine = createBoardMachine({ epoch: EPOCH + base, numbersFloor: EPOCH + base + SECOND });
      const restored = machine.restore({ ...boards, boards: records }, 0);
      rows.keep(restored.changes, { epoch: EPOCH + base, ranBefore: 0 });
      life.step({ kind: "wake" });
      return { claimed: restored.claimed, nowhere: cardsNowhere({ ...boards, boards: records }) };
    },
    kept: (kind: string) => rows.names(kind).sort(),
  };
  life.step({ kind: "create-board", config: boardOf(config) });
  return life;
}

const keyOf = (id: string) => JSON.stringify(["b", id]);
const without = (name: string) => {
  const config = boardOf();
  return { ...config, stages: config.stages.filter((stage) => stage.name !== name) };
};

it("knows the lease on its stage's limiter under the id of the claim that was granted", () => {
  const stages = [queue("In"), work("Work", undefined, { limiter: "gpu" }), queue("Out")];
  const life = createLife({ stages });
  life.add("one");
  const rest = { maxWait: undefined, ttl: 10 * SECOND, requestId: "", monitored: true, keepOnCancel: false };
  const pull = {
    id: "p",
    stream: 1,
    board: "b",
    stage: "Work",
    worker: "w",
    detached: false,
    cardId: undefined,
    session: undefined,
  };
  life.step({ kind: "pull", ...pull, ...rest });
  // Its first claim came to nothing.
  life.step({ kind: "delete-card", board: "b", cardId: "one", revision: undefined });
  life.add("two");
  life.step({ kind: "settle-claim", id: "p", refusal: undefined });
  const leaseId = life.card("two")?.work?.leaseId;
  expect(leaseId).not.toBe("p");
  expect(life.restart().claimed).toEqual([{ id: "p", leaseId, caller: "anonymous" }]);
  expect(life.card("two")?.work).toMatchObject({ id: "p", leaseId });
});

describe("a card whose stage is lost", () => {
  it("is blocked in the first, with where it stood, and is not worked on until it is unblocked", () => {
    const life = createLife();
    for (const id of ["a", "b"]) life.add(id);
    life.pull("InProgress");
    const token = life.card("a")?.work?.token ?? 0;
    expect(life.restart(0, without("InProgress")).nowhere).toEqual(["b/a"]);
    const { stage, state, reason } = life.card("a") as Card;
    expect([stage.config.name, state, reason]).toEqual([
      "Backlog",
      "blocked",
      "its stage InProgress was lost, in which it was active",
    ]);
    const finish = {
      kind: "finish",
      board: "b",
      cardId: "a",
      token,
      words: "",
      failed: false,
      session: undefined,
    } as const;
    expect(life.step(finish)).toMatchObject({ kind: "refused" });
    life.restart(0, without("InProgress"));
    expect(life.card("a")?.state).toBe("blocked");
    life.step({ kind: "unblock", board: "b", cardId: "a" });
    life.pull("Review");
    life.pull("Review");
    expect(life.card("a")?.work?.token).toBeGreaterThan(token);
  });

  it("stays completed if it was", () => {
    const life = createLife();
    life.add("a");
    life.pull("InProgress");
    life.finish("a");
    life.pull("Review");
    life.finish("a");
    expect(life.card("a")?.state).toBe("completed");
    const { stages, ...rest } = boardOf();
    life.restart(0, {
      ...rest,
      stages: stages.map((stage) => (stage.name === "Done" ? { ...stage, name: "Over" } : stage)),
    });
    const { stage, state } = life.card("a") as Card;
    expect([stage.config.name, state]).toEqual(["Over", "completed"]);
  });
});

it("a card whose board is lost is kept, and comes back with it", () => {
  const life = createLife();
  life.add("a");
  const before = cardRecord(life.card("a") as Card, 0).entry;
  expect(life.restart(0, null).nowhere).toEqual(["b/a"]);
  expect([life.card("a"), life.kept("card")]).toEqual([undefined, [keyOf("a")]]);
  life.step({ kind: "create-board", config: boardOf() });
  life.add("new");
  expect(life.restart().nowhere).toEqual([]);
  expect(life.card("a")?.state).toBe("waiting");
  // What was added meanwhile came later.
  expect(life.card("new")?.entry).toBeGreaterThan(before);
});

it("work without a ttl has ended with its stream: its card waits, and that is kept", () => {
  const life = createLife();
  life.add("a");
  life.pull("InProgress", 0);
  life.restart();
  expect([life.card("a")?.state, life.card("a")?.reason]).toEqual(["waiting", "its worker has vanished"]);
  life.pull("InProgress", 60 * SECOND);
  life.restart(SECOND);
  expect(life.card("a")?.state).toBe("active");
  life.now += 60 * SECOND;
  life.step({ kind: "wake" });
  expect(life.card("a")?.state).toBe("waiting");
});

it("work that must be renewed must be so again, whatever the resume says", () => {
  const life = createLife();
  life.add("a");
  life.pull("InProgress", SECOND, true);
  life.restart();
  const token = life.card("a")?.work?.token ?? 0;
  life.step({ kind: "resume-work", board: "b", cardId: "a", token, stream: 99, monitored: true, keepOnCancel: false });
  life.now += SECOND;
  life.step({ kind: "wake" });
  expect(life.card("a")?.state).toBe("waiting");
});

it("completed cards whose time to be kept passed while no server ran are gone, from the records, too", () => {
  const life = createLife({ keepCompletedFor: 60 * SECOND });
  for (const id of ["a", "b"]) {
    life.add(id);
    life.pull("InProgress");
    life.finish(id);
    life.pull("Review");
    life.finish(id);
    life.now += 30 * SECOND;
  }
  life.restart(15 * SECOND);
  expect([life.card("a"), life.kept("card")]).toEqual([undefined, [keyOf("b")]]);
  life.now += 60 * SECOND;
  life.step({ kind: "wake" });
  expect(life.kept("card")).toEqual([]);
});

it("a board that the file no longer declares, and that stays for its cards, is not declared after a restart either", () => {
  const life = createLife();
  life.step({ kind: "declare-boards", configs: [boardOf()] });
  life.add("a");
  expect(life.step({ kind: "declare-boards", configs: [] })).toMatchObject({ refused: ["b"] });
  life.restart();
  expect(life.step({ kind: "delete-board", name: "b", revision: undefined, force: true })).toMatchObject({ cards: 1 });
});

it("of works that damage has left under one request id, the one that was begun last keeps it, in whatever order they are found", () => {
  const life = createLife();
  for (const id of ["a", "b"]) {
    life.add(id);
    life.now += SECOND;
    life.pull("InProgress");
  }
  const requestId = "request-000000001";
  const records = ["a", "b"].map((id): CardRecord => {
    const record = cardRecord(life.card(id) as Card, 0);
    return { ...record, work: record.work && { ...record.work, requestId } };
  });
  const boards = [boardRecord((life.card("a") as Card).stage.board, 0)];
  for (const cards of [records, records.toReversed()]) {
    const machine = createBoardMachine({ epoch: EPOCH, numbersFloor: EPOCH + SECOND });
    machine.restore({ boards, cards }, life.now);
    machine.step({ kind: "wake" }, life.now);
    assertBoards(machine.state);
    const requests = [...machine.state.works.values()].map((work) => [work.card.id, work.requestId]);
    expect(requests.sort()).toEqual([
      ["a", ""],
      ["b", requestId],
    ]);
  }
});
