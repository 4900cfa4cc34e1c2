/** A board machine with one board, for measuring: time moves on by a µs with each command, and every "no" is a bug. */

import type { BoardEvent } from "../../src/server/machine/board/command.ts";
import { createBoardMachine } from "../../src/server/machine/board/machine.ts";
import type { Board, BoardConfig } from "../../src/server/machine/board/model.ts";
import { boardOf, contentOf } from "../../test/server/machine/board/boards.ts";

const PLENTY = 1_000_000;

export interface Subject {
  readonly board: Board;
  add(cardId: string, priority?: number): void;
  /** Takes the best card into a stage; tells its id, and its fencing token. */
  pull(id: string, stage: string): Held;
  /** Stands in a stage's queue; tells its stream. */
  queue(id: string, stage: string): number;
  /** Finishes a card; tells what the step had to say to other streams. */
  finish(held: Held): readonly BoardEvent[];
}

export interface Held {
  readonly cardId: string;
  readonly token: number;
}

export function createSubject(about: Partial<BoardConfig> = {}): Subject {
  const machine = createBoardMachine();
  let now = 0;
  let stream = 0;
  const config = boardOf({ maxCards: PLENTY, maxPullers: PLENTY, ...about });
  machine.step({ kind: "create-board", config }, now);
  const board = machine.state.boards.get(config.name) as Board;

  function ask(id: string, stage: string, maxWait: number | undefined) {
    now += 1;
    stream += 1;
    const command = {
      kind: "pull",
      id,
      board: config.name,
      stage,
      worker: "bench",
      maxWait,
      ttl: undefined,
      requestId: "",
      stream,
      monitored: true,
      detached: false,
      keepOnCancel: false,
      cardId: undefined,
      session: undefined,
    } as const;
    return machine.step(command, now).outcome;
  }

  return {
    board,
    add(id, priority = 0) {
      now += 1;
      const { outcome } = machine.step(
        { kind: "add-card", board: config.name, id, content: contentOf({ priority }) },
        now,
      );
      if (outcome.kind !== "card") throw unexpected(outcome);
    },
    pull(id, stage) {
      const outcome = ask(id, stage, 0);
      if (outcome.kind !== "pulled" || outcome.work === undefined) throw unexpected(outcome);
      return { cardId: outcome.card.id, token: outcome.work.token };
    },
    queue(id, stage) {
      const outcome = ask(id, stage, undefined);
      if (outcome.kind !== "pull-waiting") throw unexpected(outcome);
      return stream;
    },
    finish({ cardId, token }) {
      now += 1;
      const step = machine.step(
        { kind: "finish", board: config.name, cardId, token, words: "", failed: false, session: undefined },
        now,
      );
      if (step.outcome.kind !== "card") throw unexpected(step.outcome);
      return step.events;
    },
  };
}

function unexpected(outcome: object): Error {
  return new Error(`this was not expected: ${"reason" in outcome ? outcome.reason : JSON.stringify(outcome)}`);
}
