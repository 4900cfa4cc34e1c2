/** Stages as they are written on the command line: `Build:3`, `Ready:5:queue`. */

import { InvalidArgumentError } from "commander";
import type { StageConfig } from "../client/board.ts";
import { countValue } from "./options.ts";

/** One more stage of those that were named before. */
export function stageValue(text: string, before: readonly StageConfig[] = []): readonly StageConfig[] {
  const [name = "", ...details] = text.split(":");
  if (name === "") throw new InvalidArgumentError("expected NAME, NAME:LIMIT, NAME:queue or NAME:LIMIT:work");
  const kinds = details.filter((each): each is "queue" | "work" => each === "queue" || each === "work");
  const limits = details.filter((each) => each !== "queue" && each !== "work");
  if (kinds.length > 1 || limits.length > 1) throw new InvalidArgumentError("a stage has one limit and one kind");
  const [limit] = limits;
  return [...before, { name, kind: kinds[0], wipLimit: limit === undefined ? undefined : countValue(limit) }];
}
