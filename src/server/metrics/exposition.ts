/**
 * Writes families in Prometheus' text format, or in OpenMetrics, a bounded number of lines at a time.
 *
 * By hand, since what a library writes it writes in one turn of the event loop (`docs/decisions.md`).
 */

import type { Bounds, HistogramCounts } from "../machine/structures/histogram.ts";
import type { ExpositionFormat } from "../scrape.ts";
import type { Family } from "./families.ts";
import { type FamilySamples, type Sample, seconds } from "./samples.ts";

/** Lines that are written in one turn at most, but for those of one histogram. */
export const LINES_AT_ONCE = 500;

/** Each piece is what one turn of the event loop may write; it is written when it is asked for. */
export function* writeExposition(
  families: Iterable<FamilySamples>,
  format: ExpositionFormat,
): Generator<string, void, void> {
  let text = "";
  let lines = 0;
  for (const { family, samples } of families) {
    const names = namesOf(family, format);
    let isFirst = true;
    for (const sample of samples) {
      if (isFirst) {
        text += names.head;
        lines += names.headLines;
        isFirst = false;
      }
      const { value } = sample;
      if (typeof value === "number") {
        text += `${seriesOf(names.sample, sample.labels.text)} ${numberText(value)}\n`;
        lines += 1;
      } else {
        text += histogramText(names, sample, value);
        lines += value.counts.length + 2;
      }
      if (lines < LINES_AT_ONCE) continue;
      yield text;
      text = "";
      lines = 0;
    }
  }
  yield format === "openmetrics" ? `${text}# EOF\n` : text;
}

interface Names {
  readonly head: string;
  readonly headLines: number;
  readonly sample: string;
  readonly bucket: string;
  readonly sum: string;
  readonly count: string;
}

const known: Readonly<Record<ExpositionFormat, WeakMap<Family, Names>>> = {
  prometheus: new WeakMap(),
  openmetrics: new WeakMap(),
};

function namesOf(family: Family, format: ExpositionFormat): Names {
  let names = known[format].get(family);
  if (names === undefined) {
    names = createNames(family, format);
    known[format].set(family, names);
  }
  return names;
}

function createNames({ name, type, unit, help }: Family, format: ExpositionFormat): Names {
  // OpenMetrics names a counter without its ending.
  const of = format === "openmetrics" ? name.replace(/_total$/, "") : name;
  const head = [`# HELP ${of} ${help}`, `# TYPE ${of} ${type}`];
  if (format === "openmetrics" && unit !== undefined) head.push(`# UNIT ${of} ${unit}`);
  return {
    head: `${head.join("\n")}\n`,
    headLines: head.length,
    sample: name,
    bucket: `${name}_bucket`,
    sum: `${name}_sum`,
    count: `${name}_count`,
  };
}

/** Each bucket counts what is in those below, too. */
function histogramText(names: Names, { labels }: Sample, { bounds, counts, sum }: HistogramCounts): string {
  const { text: own } = labels;
  const start = own === "" ? `${names.bucket}{le="` : `${names.bucket}{${own},le="`;
  const ends = boundTexts(bounds);
  let text = "";
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    total += counts[bucket] as number;
    text += `${start}${ends[bucket]}"} ${total}\n`;
  }
  return `${text}${seriesOf(names.sum, own)} ${seconds(sum)}\n${seriesOf(names.count, own)} ${total}\n`;
}

const textsOfBounds = new WeakMap<Bounds, readonly string[]>();

function boundTexts(bounds: Bounds): readonly string[] {
  let texts = textsOfBounds.get(bounds);
  if (texts === undefined) {
    texts = [...bounds.map((bound) => floatText(seconds(bound))), "+Inf"];
    textsOfBounds.set(bounds, texts);
  }
  return texts;
}

/** OpenMetrics wants bounds written as floats, and the same in both formats is one series. */
function floatText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function seriesOf(name: string, labels: string): string {
  return labels === "" ? name : `${name}{${labels}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
