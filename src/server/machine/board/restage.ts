/** What a change of a board's stages makes of those that it has: which stay, under which names, and whether it may be. */

import { type Refusal, refusal } from "../reasons.ts";
import type { BoardConfig, StageConfig } from "./model.ts";

/** A stage as it stands: where it is, and how many cards are in it. */
export interface StageNow {
  readonly config: StageConfig;
  readonly index: number;
  readonly cards: { readonly size: number };
}

/**
 * The renames of a declaration that are still to be done: a file says them as long as it stands. One is done when its
 * stage has the new name, unless that is the name of a stage which is about to be renamed itself.
 */
export function pendingRenames(stages: readonly StageNow[], renamed = NOT_RENAMED): ReadonlyMap<string, string> {
  const names = new Set(stages.map(({ config }) => config.name));
  const pending = new Map<string, string>();
  for (let size = -1; size < pending.size; ) {
    size = pending.size;
    for (const [name, before] of renamed) {
      if (!names.has(name) && names.has(before)) pending.set(name, before);
    }
    // Their names are free for others.
    for (const before of pending.values()) names.delete(before);
  }
  return pending;
}

/** Which stage each of those in `config` has been; undefined: it is new. */
export function keptStages<S extends StageNow>(
  before: readonly S[],
  config: BoardConfig,
  renamed: ReadonlyMap<string, string>,
): (S | undefined)[] {
  const left = new Map(before.map((stage) => [stage.config.name, stage]));
  const take = (name: string | undefined) => {
    const stage = name === undefined ? undefined : left.get(name);
    if (stage !== undefined) left.delete(stage.config.name);
    return stage;
  };
  // The renamed come first: a new stage may have the name that one of them had.
  const renamedStages = config.stages.map(({ name }) => take(renamed.get(name)));
  return config.stages.map(({ name }, index) => renamedStages[index] ?? take(name));
}

/** No card may be lost, and none may come further by a change of the stages. */
export function refuseStages<S extends StageNow>(
  before: readonly S[],
  config: BoardConfig,
  kept: readonly (S | undefined)[],
): Refusal | undefined {
  for (const stage of before) {
    if (!kept.includes(stage) && stage.cards.size > 0) {
      return stageNotEmpty(stage, config);
    }
  }
  let last = -1;
  for (const [index, stage] of kept.entries()) {
    if (stage === undefined) continue;
    // Another kind or another place would give its cards states that they cannot have there.
    const sameEnds = (stage.index === before.length - 1) === (index === kept.length - 1);
    const sameKind = stage.config.kind === config.stages[index]?.kind;
    const fits = stage.index > last && sameKind && sameEnds && (stage.index === 0) === (index === 0);
    if (stage.cards.size > 0 && !fits) {
      return stageNotEmpty(stage, config);
    }
    last = Math.max(last, stage.index);
  }
  return undefined;
}

function stageNotEmpty(stage: StageNow, { name: board }: BoardConfig): Refusal {
  return refusal("STAGE_NOT_EMPTY", { at: { board, stage: stage.config.name }, numbers: { cards: stage.cards.size } });
}

export function sameBoard(a: BoardConfig, b: BoardConfig): boolean {
  const { stages: stagesA, ...restA } = a;
  const { stages: stagesB, ...restB } = b;
  return (
    sameFields(restA, restB) &&
    stagesA.length === stagesB.length &&
    stagesA.every((stage, index) => sameFields(stage, stagesB[index] as StageConfig))
  );
}

function sameFields<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((field) => a[field] === b[field]);
}

const NOT_RENAMED: ReadonlyMap<string, string> = new Map();
