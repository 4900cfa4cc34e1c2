/** Each invariant notices what it is for: a sound state with one thing wrong is refused, and for that reason. */

import { describe, expect, it } from "vitest";
import { assertBoards } from "../../../../src/server/machine/board/invariants.ts";
import type {
  Board,
  BoardConfig,
  Card,
  Puller,
  Stage,
  StageConfig,
  Work,
} from "../../../../src/server/machine/board/model.ts";
import { MINUTE, SECOND } from "../builders.ts";
import { queue, work } from "./boards.ts";
import { createBoardScene } from "./scene.ts";

/**
 * One of everything: a card in each state, which is its id, one that is kept for a puller at a limiter, pullers that
 * wait or are away, work whose ttl runs. All stages but Work and the last are full.
 */
function sound() {
  const scene = createBoardScene({
    stages: [
      queue("In", 1, { autoPull: false }),
      queue("Ready", 1, { autoPull: false }),
      work("Work", 5, { limiter: "gpu" }),
      work("Check", 1),
      queue("Out"),
    ],
    keepCompleted: 1,
    keepCompletedFor: MINUTE,
  });
  const pull = (stage: string, id: string) => {
    const pulling = scene.pull(stage, { maxWait: 0, cardId: id, requestId: `${id} in ${stage}`, ttl: SECOND });
    if (pulling.outcome.kind === "pull-waiting") scene.settleClaim(pulling.id);
    return pulling;
  };
  const intoWork = (id: string) => {
    scene.add(id);
    pull("Ready", id);
    return pull("Work", id);
  };
  for (const id of ["completed", "sent-back"]) {
    intoWork(id);
    scene.finish(id);
    pull("Check", id);
    if (id === "completed") scene.finish(id);
  }
  intoWork("finished");
  scene.finish("finished");
  intoWork("blocked");
  scene.block("blocked");
  scene.leave(intoWork("active"), "lost");
  scene.add("kept");
  pull("Ready", "kept");
  const claiming = scene.pull("Work", { requestId: "claiming" });
  scene.sendBack("sent-back");
  scene.add("waiting");
  const first = scene.pull("Check", { maxWait: SECOND, requestId: "first" });
  const second = scene.pull("Check");
  const away = scene.pull("Check", { requestId: "away" });
  scene.leave(away, "lost");
  const { state, board } = scene;
  const puller = ({ id }: { readonly id: string }) => state.pullers.get(id) as Puller;
  return {
    state,
    board,
    card: scene.card,
    stage: (name: string) => board.stages.find(({ config }) => config.name === name) as Stage,
    work: scene.card("active").work as Work,
    first: puller(first),
    second: puller(second),
    away: puller(away),
    claiming: puller(claiming),
  };
}

type Sound = ReturnType<typeof sound>;

describe("invariants", () => {
  it("hold of a sound state", () => {
    const { board } = sound();
    expect(board.stages.map(({ cards }) => [...cards.keys()])).toEqual([
      ["waiting"],
      ["kept"],
      ["finished", "blocked", "active"],
      ["sent-back"],
      ["completed"],
    ]);
  });

  it.each<[rule: string, spoil: (scene: Sound) => void]>([
    ["no board is left unsettled", ({ state, board }) => state.unsettled.push(board)],
    ["no board is left unsettled", ({ board }) => Object.assign(board, { unsettled: true })],
    ["it is kept under its name", ({ board }) => reconfigure(board, { name: "other" })],
    // Callers
    ["leases, counted 0", ({ state }) => Object.assign(state.callers.get("anonymous") ?? {}, { leases: 0 })],
    ["waiters, counted 0", ({ state }) => Object.assign(state.callers.get("anonymous") ?? {}, { waiters: 0 })],
    ["callers of whom something lives", ({ state }) => state.callers.set("x", { name: "x", leases: 0, waiters: 0 })],
    // Cards
    [
      "cards, each in one stage",
      ({ stage, card }) => {
        stage("Out").cards.set("kept", card("kept"));
        add(stage("Out").tally, "waiting", 1);
      },
    ],
    ["cards, each in one stage", ({ board }) => board.cards.delete("active")],
    ["card active stands where it says", ({ stage, card }) => Object.assign(card("active"), { stage: stage("Check") })],
    [
      "card active stands in a stage of its board",
      ({ card }) => Object.assign(card("active"), { stage: { ...card("active").stage } }),
    ],
    [
      "a card is kept under its id",
      ({ board, card }) => {
        board.cards.set("other", card("active"));
        board.cards.delete("active");
      },
    ],
    ["its state is one that cards have in its stage", ({ card }) => restate(card("waiting"), "finished")],
    ["its state is one that cards have in its stage", ({ card }) => restate(card("completed"), "blocked")],
    ["active equals has work", ({ card }) => Object.assign(card("active"), { work: undefined })],
    ["its blocked time runs while it is blocked", ({ card }) => Object.assign(card("waiting"), { blockedAt: 0 })],
    [
      "a time of completion exactly if it is completed",
      ({ card }) => Object.assign(card("waiting"), { completedAt: 0 }),
    ],
    ["it came when it came", ({ state, card }) => Object.assign(card("active"), { enteredAt: state.now + 1 })],
    ["a card with work has an attempt of at least 1", ({ card }) => Object.assign(card("active"), { attempt: 0 })],
    ["its tokens rise", ({ card, work: held }) => Object.assign(card("active"), { lastWork: { token: held.token } })],
    ["no fencing token is above the last", ({ board }) => Object.assign(board, { fencingToken: 0 })],
    ["blocked cards", ({ board }) => add(board, "blocked", 1)],
    ["cards stand in the order in which they came", ({ stage }) => putLast(stage("Work").cards, "finished")],
    // Stages
    ["it knows its place", ({ stage }) => add(stage("Work"), "index", 1)],
    ["it stands on its board", ({ board, stage }) => Object.assign(stage("Work"), { board: { ...board } })],
    ["it is as the board's configuration has it", ({ board }) => reconfigure(board, { stages: [] })],
    ["work is done between the ends", ({ stage }) => restage(stage("Out"), { kind: "work" })],
    ["cards that are finished", ({ stage }) => add(stage("Work").tally, "finished", 1)],
    ["cards that are waiting and free", ({ stage, card }) => stage("In").waiting.remove(card("waiting"))],
    ["cards that are waiting and free", ({ stage, card }) => stage("Ready").waiting.put(card("kept"))],
    [
      "card sent-back is ranked where its state has it",
      ({ stage, card }) => {
        stage("Check").sentBack.remove(card("sent-back"));
        stage("Work").finished.remove(card("finished"));
        stage("Work").finished.put(card("sent-back"));
        stage("Check").sentBack.put(card("finished"));
      },
    ],
    ["heapIndex equals position", ({ card }) => add(card("waiting"), "heapIndex", 1)],
    ["its limit holds", ({ stage }) => restage(stage("Work"), { wipLimit: 3 })],
    ["promised places", ({ stage }) => add(stage("Work"), "promised", -1)],
    // Pullers
    [
      "it is kept for a puller that waits for it",
      ({ card, first }) => Object.assign(card("kept"), { reservedFor: first }),
    ],
    [
      "what it will take is kept for it",
      ({ stage, card }) => {
        card("kept").reservedFor = undefined;
        stage("Ready").waiting.put(card("kept"));
      },
    ],
    [
      "what is kept for it is what it may pull",
      ({ stage, claiming, card }) => {
        claiming.claiming = { kind: "own", card: card("kept") };
        stage("Work").promised = 0;
      },
    ],
    ["it waits for a limiter that there is", ({ stage }) => restage(stage("Work"), { limiter: "" })],
    ["it stands in the queue unless", ({ away }) => Object.assign(away, { stream: 99 })],
    ["away implies request id", ({ away }) => Object.assign(away, { requestId: "" })],
    ["now implies claiming", ({ second }) => Object.assign(second, { now: true })],
    ["its time runs if it is bounded or away", ({ state, first }) => state.deadlines.clear(first)],
    ["its time runs if it is bounded or away", ({ state, second }) => state.deadlines.set(second, state.now + 1)],
    ["it gives up when its time has run out", ({ state, first }) => state.deadlines.set(first, state.now)],
    [
      "a puller's stage is not the first",
      ({ stage, first }) => {
        stage("Check").pullers.remove(first);
        stage("In").pullers.append(Object.assign(first, { stage: stage("In") }));
      },
    ],
    ["pullers", ({ state, second }) => state.pullers.delete(second.id)],
    ["the first of those present is the next", ({ stage, second }) => wrongHead(stage("Check"), second)],
    ["pullers stand in order of arrival", ({ first, second }) => Object.assign(second, { arrival: first.arrival })],
    ["no puller waits that could be served", ({ stage }) => restage(stage("Check"), { wipLimit: undefined })],
    ["no puller waits that could be served", ({ stage }) => restage(stage("Work"), { wipLimit: 4 })],
    ["a queue has pulled what it could", ({ stage }) => restage(stage("Ready"), { wipLimit: 5, autoPull: true })],
    // Work
    ["a card has one work", ({ state, card, work: held }) => state.works.set(held.id, { ...held, card: card("kept") })],
    ["its card is there", ({ state, work: held }) => stray(state.works, held)],
    ["its time runs exactly if its worker must show itself", ({ state, work: held }) => state.deadlines.clear(held)],
    ["it ends when its time has run out", ({ state, work: held }) => state.deadlines.set(held, state.now)],
    ["it has no more time than its ttl", ({ state, work: held }) => state.deadlines.set(held, state.now + SECOND + 1)],
    // Request ids, deadlines, the log, what is kept
    ["its request id leads to it", ({ state, first, away }) => state.requests.set(first.requestId, away)],
    ["request ids that stand for something", ({ state, first }) => state.requests.set("unused", first)],
    ["deadlines", ({ state, board }) => state.deadlines.set({ ...board, heapIndex: -1 }, SECOND)],
    ["is the number of card waiting's last change", ({ card }) => add(card("waiting"), "revision", -1)],
    ["changes are logged in their order", ({ board }) => add(board, "sequence", -1)],
    [
      "the log knows whether card waiting is gone",
      ({ board }) => {
        board.sequence += 1;
        board.log.removed("waiting", board.sequence);
      },
    ],
    ["it keeps no more completed cards than it shall", ({ board }) => reconfigure(board, { keepCompleted: 0 })],
    ["it looks again exactly if cards will be too old", ({ state, board }) => state.deadlines.clear(board)],
    ["it looks again when the oldest is too old", ({ state, board }) => state.deadlines.set(board, 2 * MINUTE)],
  ])("notice: %s", (rule, spoil) => {
    const scene = sound();
    spoil(scene);
    expect(() => assertBoards(scene.state)).toThrow(rule);
  });
});

function add<K extends string>(target: Record<K, number>, field: K, by: number): void {
  target[field] += by;
}

function reconfigure(board: Board, about: Partial<BoardConfig>): void {
  board.config = { ...board.config, ...about };
}

/** Changes a stage as its board's configuration has it. */
function restage(stage: Stage, about: Partial<StageConfig>): void {
  stage.config = { ...stage.config, ...about };
  reconfigure(stage.board, { stages: stage.board.config.stages.with(stage.index, stage.config) });
}

/** Gives a card another state, counted as that, and ranked nowhere. */
function restate(card: Card, state: Card["state"]): void {
  const { stage } = card;
  (card.state === "completed" ? stage.completed : stage.waiting).remove(card);
  stage.tally[card.state] -= 1;
  stage.tally[state] += 1;
  card.state = state;
  if (state === "finished") stage.finished.put(card);
  if (state === "blocked") stage.board.blocked += 1;
}

/** Puts a work in another's place that is on a card like its card. */
function stray(works: Map<string, Work>, held: Work): void {
  const card: Card = { ...held.card };
  card.work = { ...held, card };
  works.set(held.id, card.work);
}

/** The queue names as next a puller that is not. */
function wrongHead(stage: Stage, puller: Puller): void {
  Object.defineProperty(stage.pullers, "first", { value: puller });
}

function putLast<V>(map: Map<string, V>, id: string): void {
  const value = map.get(id) as V;
  map.delete(id);
  map.set(id, value);
}
