/** Alerts, the dashboard and the page of docs name what a real server says, and nothing else. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { promtool, requirePrometheus } from "../../support/prometheus.ts";
import { scrape } from "../../support/scrape.ts";
import { QUERIES } from "../support/dashboard.ts";
import { startBusyServer } from "../support/load.ts";
import { usesOf } from "../support/promql.ts";
import { RULES } from "../support/rules.ts";
import { type LabelsByMetric, labelsByMetric } from "../support/scrape.ts";
import { scratch } from "../support/scratch.ts";
import { startTlsServer } from "../support/tls-server.ts";

/** What Prometheus adds to all that it scrapes, and makes by itself. */
const OF_TARGETS = ["job", "instance"];
const OF_PROMETHEUS: LabelsByMetric = new Map([
  ["up", new Set()],
  ["ALERTS", new Set(["alertname", "alertstate", "limiter"])],
]);

const EXPRESSIONS = [
  ...QUERIES.map(({ from, expr }) => ({ from: `the dashboard, ${from}`, expr })),
  ...RULES.map((rule) => ({ from: "alert" in rule ? rule.alert : rule.record, expr: rule.expr })),
];

let said: LabelsByMetric;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-ops-"));
  try {
    await using server = await startBusyServer(folder);
    await using withTls = await startTlsServer(folder);
    const scrapes = [await scrape(`http://${withTls.metrics}`), await scrape(server.url)];
    said = new Map(scrapes.flatMap((each) => [...labelsByMetric(each)]));
  } finally {
    rmSync(folder, { recursive: true, maxRetries: 10 });
  }
});

test.each(EXPRESSIONS)("$from: every metric and label is there", ({ expr }) => {
  const { metrics, leftOut } = usesOf(expr);
  const there = new Set(OF_TARGETS);
  for (const [metric, labels] of metrics) {
    const known = labelsOf(metric);
    expect(known, `${metric} is said by the server`).toBeDefined();
    for (const label of known ?? []) there.add(label);
    expect(
      [...labels].filter((label) => !OF_TARGETS.includes(label) && !known?.has(label)),
      metric,
    ).toEqual([]);
  }
  expect([...leftOut].filter((label) => !there.has(label))).toEqual([]);
});

test("a name or a label that is misspelt is found", () => {
  expect(labelsOf("backpressure_limiter_waiter")).toBeUndefined();
  expect(labelsOf("backpressure_limiter_waiters")).toEqual(new Set(["limiter"]));
  expect(labelsOf("backpressure_wait_seconds_bucket")).toEqual(new Set(["limiter", "le"]));
});

test("every metric that docs/operations.md names is there", () => {
  const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
  const named = page.match(/\bbackpressure_[a-z_]+[a-z]\b/g) ?? [];
  expect(named.filter((name) => !said.has(name))).toEqual([]);
});

test("Prometheus takes every query of the dashboard", async (context) => {
  requirePrometheus(context);
  const rules = QUERIES.map(({ expr }, index) => ({ record: `query:number_${index}`, expr }));
  const check = (groups: object) =>
    promtool(["check", "rules", `${scratch({ "queries.yml": JSON.stringify({ groups }) })}/queries.yml`]);
  expect(await check([{ name: "queries", rules }])).toMatchObject({ code: 0 });
  const control = await check([{ name: "control", rules: [{ record: "a:b", expr: "sum by (limiter" }] }]);
  expect(control.code).not.toBe(0);
});

/** The labels of a metric that the server says, or that a rule records. */
function labelsOf(metric: string): ReadonlySet<string> | undefined {
  const recorded = RULES.find((rule) => "record" in rule && rule.record === metric);
  if (recorded === undefined) return said.get(metric) ?? OF_PROMETHEUS.get(metric);
  const { metrics, leftOut } = usesOf(recorded.expr);
  const all = [...metrics.keys()].flatMap((each) => [...(said.get(each) ?? [])]);
  return new Set(all.filter((label) => !leftOut.has(label)));
}
