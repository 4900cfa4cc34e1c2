/** How families are written as text, and how much of it one turn of the event loop writes. */

import { describe, expect, test } from "vitest";
import { boundsInSeconds, Histogram } from "../../../src/server/machine/structures/histogram.ts";
import { LINES_AT_ONCE, writeExposition } from "../../../src/server/metrics/exposition.ts";
import { Labels, NO_LABELS } from "../../../src/server/metrics/labels.ts";
import { type FamilySamples, samplesOf } from "../../../src/server/metrics/samples.ts";
import type { ExpositionFormat } from "../../../src/server/scrape.ts";

function text(families: readonly FamilySamples[], format: ExpositionFormat = "prometheus"): string {
  return [...writeExposition(families, format)].join("");
}

const db = new Labels(["limiter"], ["db"]);

test("a family has its help, its type, and a line for each series", () => {
  const other = new Labels(["limiter"], ["other"]);
  const samples = [
    { labels: db, value: 3 },
    { labels: other, value: 0.25 },
  ];
  expect(text([samplesOf("limiterWaiters", samples)])).toBe(
    "# HELP backpressure_limiter_waiters Requests in the queue.\n" +
      "# TYPE backpressure_limiter_waiters gauge\n" +
      'backpressure_limiter_waiters{limiter="db"} 3\n' +
      'backpressure_limiter_waiters{limiter="other"} 0.25\n',
  );
});

test("a family without series is left out, and a series without labels has no braces", () => {
  expect(text([samplesOf("limiterWaiters", []), samplesOf("storeFailed", [{ labels: NO_LABELS, value: 0 }])])).toMatch(
    /^# HELP backpressure_store_failed .*\n# TYPE backpressure_store_failed gauge\nbackpressure_store_failed 0\n$/,
  );
});

test("a histogram has each bucket with those below, its sum in seconds, and its count", () => {
  const histogram = new Histogram(boundsInSeconds(0.001, 1));
  for (const micros of [500, 1_000, 2_000_000]) histogram.record(micros);
  const [, , ...lines] = text([samplesOf("wait", [{ labels: db, value: histogram }])]).split("\n");
  expect(lines).toEqual([
    'backpressure_wait_seconds_bucket{limiter="db",le="0.001"} 2',
    'backpressure_wait_seconds_bucket{limiter="db",le="1.0"} 2',
    'backpressure_wait_seconds_bucket{limiter="db",le="+Inf"} 3',
    'backpressure_wait_seconds_sum{limiter="db"} 2.0015',
    'backpressure_wait_seconds_count{limiter="db"} 3',
    "",
  ]);
});

test("OpenMetrics names a counter without its ending, says units, and comes to an end", () => {
  const samples = [{ labels: NO_LABELS, value: 1.5 }];
  expect(text([samplesOf("processCpu", samples)], "openmetrics")).toBe(
    "# HELP backpressure_process_cpu_seconds CPU time of the process, all threads, user and system.\n" +
      "# TYPE backpressure_process_cpu_seconds counter\n" +
      "# UNIT backpressure_process_cpu_seconds seconds\n" +
      "backpressure_process_cpu_seconds_total 1.5\n" +
      "# EOF\n",
  );
});

test("values of labels are escaped, whatever clients have called things", () => {
  expect(new Labels(["limiter", "key"], ["db", 'a\\b"c\nd']).text).toBe('limiter="db",key="a\\\\b\\"c\\nd"');
});

describe("the work of one turn", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => new Labels(["limiter"], [`l${index}`]));
  const histogram = new Histogram(boundsInSeconds(...Array.from({ length: 17 }, (_, index) => index + 1)));
  const longest = histogram.counts.length + 2;

  test("is a bounded number of lines, with which no line is lost", () => {
    const limiters = many(1_000);
    const families = [
      samplesOf(
        "limiterWaiters",
        limiters.map((labels) => ({ labels, value: 1 })),
      ),
      samplesOf(
        "wait",
        limiters.map((labels) => ({ labels, value: histogram })),
      ),
    ];
    const pieces = [...writeExposition(families, "prometheus")];
    const linesOf = pieces.map((piece) => piece.split("\n").length - 1);
    expect(Math.max(...linesOf)).toBeLessThan(LINES_AT_ONCE + longest + 3);
    expect(linesOf.reduce((a, b) => a + b, 0)).toBe(2 + 1_000 + 2 + 1_000 * longest);
  });

  test("reads no series before its turn", () => {
    let read = 0;
    function* samples() {
      for (const labels of many(10 * LINES_AT_ONCE)) {
        read += 1;
        yield { labels, value: 1 };
      }
    }
    const pieces = writeExposition([samplesOf("limiterWaiters", samples())], "prometheus");
    for (let piece = 1; piece <= 3; piece++) {
      pieces.next();
      expect(read).toBeLessThanOrEqual(piece * LINES_AT_ONCE);
    }
  });
});
