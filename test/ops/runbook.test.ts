/** What docs/operations.md has for each alert. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REASONS } from "../../src/reasons/reasons.ts";
import { ALERTS, CASES, RULES } from "./support/rules.ts";

const REPOSITORY = "https://github.com/ggen-backpressure/ggen-backpressure/blob/main/";
const PAGE = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
const HEADINGS = Array.from(PAGE.matchAll(/^### (Backpressure\w+)$/gm), ([, heading]) => heading);

test("each alert has its heading in docs/operations.md, and leads to it; each such heading has its alert", () => {
  expect(HEADINGS.toSorted()).toEqual(ALERTS.map(({ alert }) => alert).toSorted());
  for (const { alert, annotations } of ALERTS) {
    expect(annotations.runbook_url).toBe(`${REPOSITORY}docs/operations.md#${alert.toLowerCase()}`);
  }
});

test("what is recorded is named as Prometheus recommends: level, metric, operations", () => {
  const recorded = RULES.flatMap((rule) => ("record" in rule ? rule.record : []));
  expect(recorded.filter((name) => !/^limiter:backpressure_\w+:\w+$/.test(name))).toEqual([]);
  expect(recorded).toHaveLength(RULES.length - ALERTS.length);
});

test("the page names the alerts that are meant to wake somebody", () => {
  const [, named = ""] = /`severity: critical` is meant to wake\s+somebody: ([^.]+)\./.exec(PAGE) ?? [];
  const critical = ALERTS.filter(({ labels }) => labels.severity === "critical").map(({ alert }) => alert);
  expect(
    named
      .split(/,\s+/)
      .map((name) => `Backpressure${name}`)
      .toSorted(),
  ).toEqual(critical.toSorted());
});

test("every reason that the page names is one", () => {
  const named = PAGE.match(/\b[A-Z]+_[A-Z_]+\b/g) ?? [];
  const others = ["NOT_SERVING"];
  expect(named.filter((word) => !others.includes(word) && !(word in REASONS))).toEqual([]);
});

test.each(ALERTS)(
  "$alert says what there is and what it means, and has a case that fires",
  ({ alert, annotations, labels }) => {
    expect(annotations.summary).toMatch(/./);
    expect(annotations.description).toMatch(/\.$/);
    expect(labels.severity).toMatch(/^(critical|warning)$/);
    const cases = CASES.filter(({ alertname }) => alertname === alert);
    expect(cases.some(({ exp_alerts: alerts }) => alerts.length > 0)).toBe(true);
  },
);
