/**
 * What no step may do, whatever the command, judged by the board before and after alone: a stage holds more than its
 * limit, a card is lost or doubled, or comes further otherwise than by a pull of the next stage.
 */

import type { BoardCommand, BoardOutcome } from "../../../../src/server/machine/board/command.ts";
import type { BoardState, BoardStep } from "../../../../src/server/machine/board/machine.ts";
import type { Board, Card, CardState, Stage } from "../../../../src/server/machine/board/model.ts";

export interface Audit {
  /** Looks at the state after a step, and holds it against the state before. */
  step(command: BoardCommand, step: BoardStep<BoardOutcome>): void;
}

interface Seen {
  readonly board: Board;
  readonly card: Card;
  readonly stage: Stage;
  readonly state: CardState;
}

export function createAudit(state: BoardState): Audit {
  let cards = new Map<Card, Seen>();
  let counts = new Map<Stage, number>();

  function look(): void {
    cards = new Map();
    counts = new Map();
    for (const board of state.boards.values()) {
      for (const stage of board.stages) {
        counts.set(stage, stage.cards.size);
        for (const card of stage.cards.values()) {
          if (cards.has(card)) throw new Error(`card ${card.id} stands in two stages`);
          cards.set(card, { board, card, stage, state: card.state });
        }
      }
    }
  }

  return {
    step(command, step) {
      const before = cards;
      const countsBefore = counts;
      look();
      for (const [stage, count] of counts) {
        const limit = stage.config.wipLimit ?? Number.POSITIVE_INFINITY;
        const allowed = Math.max(limit, countsBefore.get(stage) ?? 0);
        if (count > allowed) throw new Error(`${count} cards are in ${stage.config.name}, where ${allowed} may be`);
      }
      for (const [card, seen] of cards) {
        const old = before.get(card);
        if (old === undefined) checkNew(seen, command);
        else if (old.stage !== seen.stage) checkMoved(old, seen, { command, step });
      }
      for (const [card, old] of before) if (!cards.has(card)) checkGone(old, command, state);
    },
  };
}

function checkNew({ card }: Seen, command: BoardCommand): void {
  if (command.kind === "add-card" && command.id === card.id) return;
  throw new Error(`card ${card.id} has come from nowhere`);
}

/** A card is gone if it was deleted, or its board, or if it was completed and is not kept. */
function checkGone({ board, card, stage }: Seen, command: BoardCommand, state: BoardState): void {
  if (state.boards.get(board.config.name) !== board) return;
  if (command.kind === "delete-card" && command.cardId === card.id) return;
  if (card.completedAt !== undefined) return;
  throw new Error(`card ${card.id} is lost from ${stage.config.name}`);
}

/** On its way each stage that it came to has pulled it, and none that it left had work on it undone. */
function checkMoved(
  { board, card, stage: from, state }: Seen,
  { stage: to }: Seen,
  { command, step }: { readonly command: BoardCommand; readonly step: BoardStep<BoardOutcome> },
): void {
  const start = board.stages.indexOf(from);
  const end = board.stages.indexOf(to);
  const how = `card ${card.id} came from ${from.config.name} to ${to.config.name}`;
  if (end < start) {
    const sentBack = state === "sent-back" || (command.kind === "send-back" && command.cardId === card.id);
    if (!sentBack || end !== start - 1) throw new Error(`${how}, and was not sent back`);
    return;
  }
  const finished = command.kind === "finish" && command.cardId === card.id;
  const free = from.config.kind === "queue" ? state === "waiting" || unblocked(command, card) : state === "finished";
  if (!free && !finished) throw new Error(`${how}, where it was ${state}`);
  const pulls = [step.outcome, ...step.events.map(({ news }) => news)].filter(
    (said) => said.kind === "pulled" && !said.resumed,
  );
  for (const stage of board.stages.slice(start + 1, end + 1)) {
    const { kind, autoPull } = stage.config;
    const pulled = pulls.some((said) => said.kind === "pulled" && said.card === card);
    if (!pulled && !(kind === "queue" && autoPull))
      throw new Error(`${how}, and no pull took it into ${stage.config.name}`);
    if (kind === "work" && stage !== to) throw new Error(`${how}, past ${stage.config.name}`);
  }
}

function unblocked(command: BoardCommand, card: Card): boolean {
  return command.kind === "unblock" && command.cardId === card.id;
}
