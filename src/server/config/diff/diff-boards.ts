/** Boards: what the file declares against what runs. */

import { create } from "@bufbuild/protobuf";
import { type Board, BoardSchema, type Stage, StageSchema } from "../../gen/ggen/backpressure/v1/board_pb.ts";
import type { BoardConfig } from "../../machine/board/model.ts";
import { keptStages, pendingRenames, refuseStages, type StageNow, sameBoard } from "../../machine/board/restage.ts";
import { refusalMessage } from "../../machine/refusal-message.ts";
import { BOARD_OUTPUT_FIELDS, boardConfig, boardFields } from "../../wire/board-wire.ts";
import type { Changed, Difference, TakeUp } from "./difference.ts";
import { changedFields, type FieldValues, fieldValues } from "./field-values.ts";

export interface RunningBoards {
  readonly boards: readonly Board[];
  readonly declaredBoards: readonly Board[];
}

type Renames = ReadonlyMap<string, string>;

export function diffBoards(
  file: { readonly boards: readonly BoardConfig[]; readonly renamedStages: ReadonlyMap<string, Renames> },
  running: RunningBoards,
  takeUp: TakeUp,
): readonly Difference[] {
  const now = new Map(running.boards.map((board) => [board.name, board]));
  const declared = new Map(running.declaredBoards.map((board) => [board.name, configOf(board)]));
  const named = new Set(file.boards.map(({ name }) => name));
  return [
    ...file.boards.flatMap((config) => {
      const renamed = file.renamedStages.get(config.name);
      return diffOne({ config, renamed }, now.get(config.name), declared.get(config.name), takeUp);
    }),
    ...running.boards.filter(({ name }) => !named.has(name)).map((board) => diffUnnamed(board, takeUp)),
  ];
}

function diffOne(
  { config, renamed }: { readonly config: BoardConfig; readonly renamed: Renames | undefined },
  board: Board | undefined,
  declared: BoardConfig | undefined,
  { why, by }: TakeUp,
): readonly Difference[] {
  const about = { kind: "board", name: config.name } as const;
  if (board === undefined) {
    return [{ ...about, field: "", file: "declared", running: undefined, why, explanation: `is made by ${by}` }];
  }
  const changes = changesOf(config, configOf(board));
  const isTakenUp = declared !== undefined && sameBoard(declared, config);
  const no = isTakenUp ? undefined : whyRefused(board, config, renamed);
  const ownership: Difference[] = board.declared
    ? []
    : [
        {
          ...about,
          field: "",
          file: "declared",
          running: "made by RPC",
          ...(no === undefined
            ? { why, explanation: `is the file's from ${by} on, and its cards stay` }
            : { why: "refused", explanation: no }),
        },
      ];
  const fields = changes.map((change): Difference => {
    if (isTakenUp) {
      const explanation = "was changed by RPC since the file was taken up; stays so until its declaration changes";
      return { ...about, ...change, why: "changed-by-rpc", explanation };
    }
    if (no !== undefined) return { ...about, ...change, why: "refused", explanation: no };
    return { ...about, ...change, why, explanation: `takes effect by ${by}` };
  });
  return [...ownership, ...fields];
}

/** Returns why a reload would refuse the board as its cards stand; undefined: it would not. */
function whyRefused(board: Board, config: BoardConfig, renamed: Renames | undefined): string | undefined {
  const before = stagesNow(board);
  const kept = keptStages(before, config, pendingRenames(before, renamed));
  const no = refuseStages(before, config, kept);
  if (no === undefined) return undefined;
  return (
    `refused as cards stand now (${refusalMessage(no)}): the board stays as it is, whole; send SIGHUP once the cards are gone ` +
    "on, or say renamed_from where a stage has another name"
  );
}

function diffUnnamed({ name, declared, status }: Board, { why, by }: TakeUp): Difference {
  const about = { kind: "board", name, field: "", file: undefined } as const;
  if (!declared) {
    const explanation = "was made by RPC and stays, whatever the file says; declare it, or delete it by RPC";
    return { ...about, running: "made by RPC", why: "made-by-rpc", explanation };
  }
  const open = status?.cards ?? 0;
  if (open === 0) return { ...about, running: "declared", why, explanation: `is deleted by ${by}` };
  const explanation = `is not deleted while cards on it are not completed (${open}): it stays, as one made by RPC`;
  return { ...about, running: "declared", why: "refused", explanation };
}

/**
 * Returns the fields that differ: stage by stage if both have the same stages in the same order, else all stages as
 * one.
 */
function changesOf(file: BoardConfig, running: BoardConfig): readonly Changed[] {
  const [said, now] = [messageOf(file), messageOf(running)];
  const changes = changedFields(valuesOf(said), valuesOf(now));
  const [names, namesNow] = [namesOf(said), namesOf(now)];
  if (names !== namesNow) return [...changes, { field: "stages", file: names, running: namesNow }];
  for (const [index, stage] of said.stages.entries()) {
    const values = (each: Stage): FieldValues => fieldValues(StageSchema, each, NOT_OF_STAGES);
    changes.push(...changedFields(values(stage), values(now.stages[index] as Stage), `stages[${stage.name}].`));
  }
  return changes;
}

const NOT_COMPARED = new Set([...BOARD_OUTPUT_FIELDS, BoardSchema.field.stages]);
const NOT_OF_STAGES = new Set([...BOARD_OUTPUT_FIELDS, StageSchema.field.renamedFrom]);

function valuesOf(board: Board): FieldValues {
  return fieldValues(BoardSchema, board, NOT_COMPARED);
}

function namesOf({ stages }: Board): string {
  return stages.map(({ name }) => name).join(", ");
}

function stagesNow(board: Board): readonly StageNow[] {
  return configOf(board).stages.map((config, index) => ({
    config,
    index,
    cards: { size: board.stages[index]?.status?.cards ?? 0 },
  }));
}

/** Of a message that the server has sent. */
function configOf(board: Board): BoardConfig {
  const reading = boardConfig(board);
  if (reading.kind === "valid") return reading.config;
  throw new Error(`the server runs a board that this version cannot read: ${JSON.stringify(reading.violations)}`);
}

function messageOf(config: BoardConfig): Board {
  return create(BoardSchema, boardFields(config));
}
