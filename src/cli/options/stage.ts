/** Stages as they are written on the command line: `Build:3`, `Ready:5:queue`, `Train:2:limiter=gpu`. */

import { InvalidArgumentError } from "commander";
import type { Stage, StageConfig } from "../../client/api/board.ts";
import { countValue } from "./values.ts";

/** How a stage is written. */
export const STAGE_FORM = "NAME[:LIMIT][:queue|work][:limiter=NAME][:no-auto-pull]";

const LIMITER = "limiter=";
const BY_HAND = "no-auto-pull";
const NO_LIMIT = "none";

/** One more stage of those that were named before. */
export function stageValue(text: string, before: readonly StageConfig[] = []): readonly StageConfig[] {
  const [name = "", ...details] = text.split(":");
  if (name === "") throw new InvalidArgumentError(`expected ${STAGE_FORM}`);
  const kinds = details.filter((each): each is "queue" | "work" => each === "queue" || each === "work");
  const limiters = details.filter((each) => each.startsWith(LIMITER)).map((each) => each.slice(LIMITER.length));
  const byHand = details.includes(BY_HAND);
  const known = (each: string) => each === "queue" || each === "work" || each === BY_HAND || each.startsWith(LIMITER);
  const limits = details.filter((each) => !known(each));
  if (kinds.length > 1 || limits.length > 1 || limiters.length > 1) {
    throw new InvalidArgumentError("a stage has one limit, one kind and one limiter");
  }
  const [limit] = limits;
  const [limiter] = limiters;
  if (limiter === "") throw new InvalidArgumentError("limiter= wants the name of a limiter");
  return [
    ...before,
    {
      name,
      kind: kinds[0],
      wipLimit: limit === undefined ? undefined : countValue(limit),
      autoPull: byHand ? false : undefined,
      limiter,
    },
  ];
}

/** Stages as they could be written. */
export function stagesWords(stages: readonly Stage[]): string {
  return stages.map(stageWords).join(", ");
}

function stageWords({ name, wipLimit, kind, limiter, autoPull }: Stage): string {
  const details = [wipLimit, kind, limiter && `${LIMITER}${limiter}`, autoPull === false && BY_HAND];
  return [name, ...details.filter((each) => each !== undefined && each !== false && each !== "")].join(":");
}

/** A stage's limit as `board set` is given it; undefined: no limit. */
export type StageLimits = ReadonlyMap<string, number | undefined>;

/** One more limit of those that were given before: `Build=4`, `Build=none`. */
export function stageLimitValue(text: string, before: StageLimits = new Map()): StageLimits {
  const [stage = "", limit, ...rest] = text.split("=");
  if (stage === "" || limit === undefined || rest.length > 0) {
    throw new InvalidArgumentError("expected STAGE=LIMIT, such as Build=4, or STAGE=none");
  }
  if (before.has(stage)) throw new InvalidArgumentError(`${stage} has been given a limit already`);
  return new Map(before).set(stage, limit === NO_LIMIT ? undefined : countValue(limit));
}
