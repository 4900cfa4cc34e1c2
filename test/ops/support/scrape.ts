/** What a scrape has of each metric: the labels of its series. */

import type { Scrape } from "../../support/scrape.ts";

/** By the name of the metric, as a query has it (`…_bucket`, `…_count`). */
export type LabelsByMetric = ReadonlyMap<string, ReadonlySet<string>>;

export function labelsByMetric({ values }: Scrape): LabelsByMetric {
  const metrics = new Map<string, Set<string>>();
  for (const series of values.keys()) {
    const [, name = "", labels = ""] = /^(\w+)(?:{(.*)})?$/.exec(series) ?? [];
    const known = metrics.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) known.add(label);
    metrics.set(name, known);
  }
  return metrics;
}
