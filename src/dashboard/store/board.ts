/** One board with its cards, as the watch tells of them. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { Board } from "../../client/api/board.ts";
import type { Card } from "../../client/api/card.ts";
import { boardFromWire } from "../../client/wire/board.ts";
import { cardFromWire } from "../../client/wire/card.ts";
import { failureText, isNotFound } from "../api/failure.ts";
import type { Rpc } from "../api/rpc.ts";
import type { Connection } from "./connection.ts";
import { keepOpen } from "./keep-open.ts";

export type BoardState =
  | { readonly kind: "waiting" }
  | { readonly kind: "gone" }
  /** `at`: ms since 1970, when it came: ages have grown since. */
  | {
      readonly kind: "here";
      readonly board: Board;
      readonly cards: ReadonlyMap<string, SeenCard>;
      readonly at: number;
    };

export interface SeenCard {
  readonly card: Card;
  /** ms since 1970, when it came. */
  readonly at: number;
}

export interface WatchedBoard {
  readonly state: ReadonlySignal<BoardState>;
  reopen(): void;
  close(): void;
}

export interface WatchedBoardOptions {
  readonly rpc: Pick<Rpc, "boards">;
  readonly connection: Pick<Connection, "lost">;
  readonly name: string;
}

export function watchBoard({ rpc, connection, name }: WatchedBoardOptions): WatchedBoard {
  const state = signal<BoardState>({ kind: "waiting" });
  const cards = new Map<string, SeenCard>();
  let sequence = 0n;

  async function read(abort: AbortSignal, heard: () => void): Promise<void> {
    let isWhole = true;
    for await (const message of rpc.boards.watchBoard({ name, afterSequence: sequence }, { signal: abort })) {
      heard();
      const { event } = message;
      if (event.case === undefined) continue;
      const at = Date.now();
      // A snapshot may come in several parts; the first takes the place of all that there was.
      if (event.case === "snapshot" && isWhole) cards.clear();
      for (const wire of event.value.cards) cards.set(wire.id, { card: cardFromWire(wire), at });
      if (event.case === "changes") for (const id of event.value.removedCardIds) cards.delete(id);
      sequence = message.sequence;
      const board = boardFromWire(event.value.board);
      // In between the board never stood so.
      isWhole = Number(sequence) >= board.status.sequence;
      if (isWhole) state.value = { kind: "here", board, cards: new Map(cards), at };
    }
  }

  const watch = keepOpen({
    read,
    onLost(error) {
      if (isNotFound(error)) state.value = { kind: "gone" };
      else connection.lost(failureText(error));
      // A restarted server may count anew: it sends all there is.
      sequence = 0n;
    },
  });
  return { state, reopen: watch.reopen, close: watch.close };
}
