/** A board as seen by a watcher that only listens to WatchBoard, and takes over each message at once. */

import type { Board } from "../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import { BoardService, type WatchBoardResponse } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Card } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { BOARD } from "./board.ts";
import { type CallFailure, Code } from "./call-failure.ts";
import type { ContractClient, ContractStream } from "./contract-client.ts";

export interface BoardView {
  /** As it stood at the last message. */
  readonly board: Board;
  /** All cards on it. */
  readonly cards: ReadonlyMap<string, Card>;
  /** The number of the change up to which it is known. */
  readonly sequence: bigint;
  /** How many messages have come, over all streams. */
  readonly messages: number;
  /** How many of them were snapshots. */
  readonly snapshots: number;
  /** Resolves as soon as it is as wanted; rejects if the stream ends before. */
  until(isWanted: (view: BoardView) => boolean): Promise<void>;
  /** Ends the stream and opens another that goes on from the number. */
  reconnect(): void;
  /** How the watch has ended: by the server's word, or because its client was closed. */
  readonly ended: Promise<CallFailure | undefined>;
}

/**
 * Resolves once it has heard of the whole board, and goes on where the connection breaks. `onMessage` sees the board after
 * each message that makes it whole.
 */
export async function watchBoard(
  client: ContractClient,
  { board: name = BOARD, onMessage = (_view: BoardView) => {} } = {},
): Promise<BoardView> {
  const cards = new Map<string, Card>();
  const looks = new Set<() => void>();
  let board: Board | undefined;
  let sequence = 0n;
  let messages = 0;
  let snapshots = 0;
  let stream = open();
  const { promise: ended, resolve: end } = Promise.withResolvers<CallFailure | undefined>();

  const view: BoardView = {
    get board() {
      return board as Board;
    },
    cards,
    get sequence() {
      return sequence;
    },
    get messages() {
      return messages;
    },
    get snapshots() {
      return snapshots;
    },
    until(isWanted) {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (!isWanted(view)) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        ended.then((failure) => reject(failure ?? new Error("the watch has ended with OK")));
        if (isWhole()) look();
      });
    },
    reconnect() {
      stream.cancel();
      stream = open();
      read(stream);
    },
    ended,
  };

  function open(): ContractStream<WatchBoardResponse> {
    return client.open(BoardService.method.watchBoard, { name, afterSequence: sequence });
  }

  function isWhole(): boolean {
    return board?.status !== undefined && sequence >= board.status.sequence;
  }

  function takeOver(message: WatchBoardResponse): void {
    const { event } = message;
    messages += 1;
    sequence = message.sequence;
    if (event.case === "snapshot") {
      snapshots += 1;
      cards.clear();
    }
    board = event.value?.board;
    for (const card of event.value?.cards ?? []) cards.set(card.id, card);
    if (event.case === "changes") for (const id of event.value.removedCardIds) cards.delete(id);
    // There may be more to be taken over together with this.
    if (!isWhole()) return;
    onMessage(view);
    for (const look of looks) look();
  }

  function read(from: ContractStream<WatchBoardResponse>): void {
    from.next().then(
      (message) => {
        // What was on its way when another stream was opened comes again over that.
        if (from !== stream) return;
        takeOver(message);
        read(from);
      },
      async () => {
        if (from !== stream) return;
        const failure = await from.ending;
        if (isLoss(failure)) view.reconnect();
        else end(failure);
      },
    );
  }

  read(stream);
  await view.until(() => board !== undefined);
  return view;
}

/** Whether a stream has ended without the server's saying so: then its connection was lost. */
function isLoss(failure: CallFailure | undefined): boolean {
  return failure !== undefined && failure.code !== Code.Canceled && failure.reason === "";
}
