/** The families of boards. */

import type { StageFigures } from "../machine/board/measure.ts";
import type { HistogramCounts } from "../machine/structures/histogram.ts";
import type { FamilyId } from "./families.ts";
import { Labels } from "./labels.ts";
import { type FamilySamples, type Sample, samplesOf } from "./samples.ts";

export interface MeasuredBoard {
  readonly name: string;
  /** By name. */
  readonly stages: Iterable<readonly [stage: string, figures: StageFigures]>;
  readonly leads: HistogramCounts;
}

const OF_STAGES = {
  boardStageCards: ({ cards }) => cards,
  boardStageLimit: ({ wipLimit }) => wipLimit,
  boardStageBlocked: ({ blocked }) => blocked,
  boardPulls: ({ pulls }) => pulls,
  boardCycle: ({ cycles }) => cycles,
} as const satisfies Partial<Record<FamilyId, (figures: StageFigures) => Sample["value"] | undefined>>;

export function boardSamples(boards: readonly MeasuredBoard[]): FamilySamples[] {
  const stages = boards.flatMap(({ name, stages: all }) =>
    [...all].map(([stage, figures]) => ({ labels: new Labels(["board", "stage"], [name, stage]), figures })),
  );
  return [
    ...Object.entries(OF_STAGES).map(([id, read]) => samplesOf(id as FamilyId, ofStages(stages, read))),
    samplesOf(
      "boardLead",
      boards.map(({ name, leads }) => ({ labels: new Labels(["board"], [name]), value: leads })),
    ),
  ];
}

function* ofStages(
  stages: readonly { readonly labels: Labels; readonly figures: StageFigures }[],
  read: (figures: StageFigures) => Sample["value"] | undefined,
) {
  for (const { labels, figures } of stages) {
    const value = read(figures);
    if (value !== undefined) yield { labels, value };
  }
}
