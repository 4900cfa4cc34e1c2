/** UpdateBoard: what becomes of a board's configuration when some fields of it are changed. */

import { create } from "@bufbuild/protobuf";
import { type Board, BoardSchema } from "../gen/ggen/backpressure/v1/board_pb.ts";
import type { BoardConfig } from "../machine/board/model.ts";
import { BOARD_OUTPUT_FIELDS, type BoardReading, boardConfig, boardFields } from "./board-wire.ts";
import { applyMask, type Updatable } from "./field-mask.ts";
import { violationsIn, violationsOf } from "./validate.ts";

const UPDATABLE: Updatable<typeof BoardSchema> = {
  schema: BoardSchema,
  noun: "board",
  output: BOARD_OUTPUT_FIELDS,
  fixed: new Set([BoardSchema.field.name]),
};

/**
 * The configuration after the fields that `paths` names have been taken from the message. The contract's rules are held
 * against the whole result; violations name fields of UpdateBoardRequest.
 */
export function applyBoardUpdate(current: BoardConfig, message: Board, paths: readonly string[]): BoardReading {
  const update = applyMask(UPDATABLE, create(BoardSchema, boardFields(current)), { changes: message, paths });
  if (update.kind === "invalid") return update;
  const violations = violationsOf(BoardSchema, update.message);
  if (violations.length === 0) return boardConfig(update.message);
  return { kind: "invalid", violations: violationsIn("board", violations) };
}
