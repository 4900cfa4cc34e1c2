/** Watching a board: what stands on it, then what changes, over as many connections as that takes. */

import type { BoardEvent } from "../api/board.ts";
import type { Card } from "../api/card.ts";
import type { CallOptions } from "../api/limiters.ts";
import type { WatchBoardResponse } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { keepWatching } from "../rpc/keep-watching.ts";
import type { BoardPorts } from "../rpc/ports.ts";
import { boardFromWire } from "../wire/board.ts";
import { cardFromWire } from "../wire/card.ts";

export async function* watchBoard(
  ports: BoardPorts,
  name: string,
  options: CallOptions = {},
): AsyncGenerator<BoardEvent, void> {
  const view = createView();
  const messages = keepWatching(ports, options.signal, (rpcOptions) =>
    ports.calls.board.watchBoard({ name, afterSequence: view.sequence }, rpcOptions),
  );
  for await (const message of messages) {
    const event = view.takeOver(message);
    if (event !== undefined) yield event;
  }
}

/** The board as it stands after what was heard. */
function createView() {
  const cards = new Map<string, Card>();
  let sequence = 0n;
  let news = noNews("changes");

  return {
    /** What to go on after; 0: nothing is known. */
    get sequence() {
      return sequence;
    },

    /** What is too much for one message comes in several, and is yielded once it is whole; what only a newer server has is not. */
    takeOver({ sequence: reached, event }: WatchBoardResponse): BoardEvent | undefined {
      if (event.case === undefined) return undefined;
      if (event.case === "snapshot") {
        cards.clear();
        news = noNews("snapshot");
      }
      for (const card of event.value.cards.map(cardFromWire)) {
        cards.set(card.id, card);
        news.removed.delete(card.id);
        // What changed again stands where it last did.
        news.changed.delete(card.id);
        news.changed.set(card.id, card);
      }
      for (const id of event.case === "changes" ? event.value.removedCardIds : []) {
        cards.delete(id);
        news.changed.delete(id);
        news.removed.add(id);
      }
      sequence = reached;
      if (reached < (event.value.board?.status?.sequence ?? 0n)) return undefined;
      const { kind, changed, removed } = news;
      news = noNews("changes");
      return {
        kind,
        sequence: Number(sequence),
        board: boardFromWire(event.value.board),
        changed: [...changed.values()],
        removed: [...removed],
        cards,
      };
    },
  };
}

/** What was received and not yielded yet. */
function noNews(kind: BoardEvent["kind"]) {
  return { kind, changed: new Map<string, Card>(), removed: new Set<string>() };
}
