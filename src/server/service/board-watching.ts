/** One WatchBoard call: what stands on a board, then what changes. The watcher has a number, not a queue. */

import { create } from "@bufbuild/protobuf";
import type { BoardEngine } from "../engine/board-engine.ts";
import { BoardSnapshotSchema } from "../gen/ggen/backpressure/v1/board_pb.ts";
import {
  BoardChangesSchema,
  type WatchBoardRequest,
  type WatchBoardResponse,
  WatchBoardResponseSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { BoardDelta, WatchPosition } from "../machine/board/view.ts";
import { refusal } from "../machine/reasons.ts";
import { boardMessage } from "../wire/board-wire.ts";
import { cardToWire } from "../wire/card-wire.ts";
import { refusalError } from "../wire/error-wire.ts";
import { failureOf } from "./failure.ts";
import type { ServerStream } from "./rpc.ts";

export function watchBoard(
  boards: BoardEngine,
  stream: ServerStream<WatchBoardResponse>,
  { name, afterSequence }: WatchBoardRequest,
): void {
  let position: WatchPosition = { sequence: Number(afterSequence), snapshotAt: 0 };
  let stale = true;
  let writable = true;
  let telling = false;
  let over = false;

  const unwatch = boards.watch((changed) => {
    if (!changed.has(name)) return;
    stale = true;
    tell();
  }, fail);
  stream.onWritable(() => {
    writable = true;
    tell();
  });
  stream.onEnd(end);
  tell();

  function end(): void {
    over = true;
    unwatch();
  }

  function fail(error: unknown): void {
    if (over) return;
    end();
    stream.fail(failureOf(error));
  }

  /** Says what has changed since the last time, as soon as the reader can take it. */
  function tell(): void {
    if (over || telling || !stale || !writable) return;
    telling = true;
    stale = false;
    boards.delta(name, position).then((delta) => {
      telling = false;
      if (over) return;
      if (delta === undefined) {
        end();
        stream.fail(refusalError(refusal("BOARD_NOT_FOUND", { at: { board: name } })));
        return;
      }
      const { sequence } = delta;
      const last = delta.board.status.sequence;
      position = { sequence, snapshotAt: delta.kind === "snapshot" ? last : position.snapshotAt };
      if (sequence < last) stale = true;
      writable = stream.send(create(WatchBoardResponseSchema, { sequence: BigInt(sequence), event: toEvent(delta) }));
      tell();
    }, fail);
  }

  function toEvent(delta: BoardDelta): WatchBoardResponse["event"] {
    const board = boardMessage(delta.board);
    const cards = delta.cards.map((card) => cardToWire(card));
    return delta.kind === "snapshot"
      ? { case: "snapshot", value: create(BoardSnapshotSchema, { board, cards }) }
      : {
          case: "changes",
          value: create(BoardChangesSchema, { board, cards, removedCardIds: [...delta.removed] }),
        };
  }
}
