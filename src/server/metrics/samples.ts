/** What a scrape shows: families with their series, each of which is read when its turn comes. */

import type { HistogramCounts } from "../machine/structures/histogram.ts";
import { FAMILIES, type Family, type FamilyId } from "./families.ts";
import type { Labels } from "./labels.ts";

/** One series. */
export interface Sample {
  readonly labels: Labels;
  /** In the unit of its family; a histogram is in µs. */
  readonly value: number | HistogramCounts;
}

export interface FamilySamples {
  readonly family: Family;
  readonly samples: Iterable<Sample>;
}

/** Series of a family: its labels, and what is measured. */
export function samplesOf(id: FamilyId, samples: Iterable<Sample>): FamilySamples {
  return { family: FAMILIES[id], samples };
}

const MICROS = 1e6;

export function seconds(micros: number): number {
  return micros / MICROS;
}
