/** Watchers of boards that look now and then, and know no more than they were sent: each must know what there is. */

import { deepStrictEqual } from "node:assert";
import type { BoardState } from "../../../../src/server/machine/board/machine.ts";
import type { Board } from "../../../../src/server/machine/board/model.ts";
import { deltaSince, viewCard } from "../../../../src/server/machine/board/read.ts";
import type { CardView, WatchPosition } from "../../../../src/server/machine/board/view.ts";
import { asIs } from "../builders.ts";

export interface Watchers {
  /** The watchers whose turn it is look, and what each then knows is compared with what there is. */
  look(): void;
}

interface Watcher {
  /** It looks after so many steps. */
  readonly every: number;
  /** By the name of a board. */
  readonly known: Map<string, Replica>;
}

interface Replica {
  position: WatchPosition;
  readonly cards: Map<string, CardView>;
}

export function createWatchers(state: BoardState): Watchers {
  const watchers: Watcher[] = [5, 31].map((every) => ({ every, known: new Map() }));
  let steps = 0;
  return {
    look() {
      steps += 1;
      for (const { every, known } of watchers) {
        if (steps % every !== 0) continue;
        for (const [name, board] of state.boards) {
          const replica = known.get(name) ?? { position: { sequence: 0, snapshotAt: 0 }, cards: new Map() };
          known.set(name, replica);
          catchUp(state, board, replica);
        }
      }
    },
  };
}

function catchUp(state: BoardState, board: Board, replica: Replica) {
  while (replica.position.sequence !== board.sequence) {
    const delta = deltaSince(state, board, replica.position, asIs);
    if (delta.kind === "snapshot") replica.cards.clear();
    else for (const id of delta.removed) replica.cards.delete(id);
    for (const card of delta.cards) replica.cards.set(card.id, card);
    const snapshotAt = delta.kind === "snapshot" ? board.sequence : replica.position.snapshotAt;
    replica.position = { sequence: delta.sequence, snapshotAt };
  }
  const there = [...board.cards.values()].map((card) => viewCard(state, card, asIs));
  const byId = (a: CardView, b: CardView) => (a.id < b.id ? -1 : 1);
  const known = [...replica.cards.values()].sort(byId).map(lasting);
  const real = there.sort(byId).map(lasting);
  if (JSON.stringify(known) !== JSON.stringify(real)) deepStrictEqual(known, real);
}

/** A card without what time alone changes, and a renewal. */
function lasting({ age, stageAge, blockedTime, work, ...rest }: CardView): object {
  return { ...rest, work: work && { ...work, expiresAt: undefined } };
}
