/** The rules of ops/alerts.yml, as Prometheus reads them. */

import { expect, test } from "vitest";
import { promtool, requirePrometheus } from "../../support/prometheus.ts";
import { OPS, readOps } from "../support/rules.ts";
import { scratch } from "../support/scratch.ts";

const RULES = readOps("alerts.yml");
const CASES = readOps("alerts.test.yml");

test("Prometheus takes the configuration and its rules, and what fires and what does not is as ops/alerts.test.yml says", async (context) => {
  requirePrometheus(context);
  expect(await promtool(["check", "config", `${OPS}/prometheus.yml`])).toMatchObject({ code: 0 });
  expect(await promtool(["test", "rules", `${OPS}/alerts.test.yml`])).toMatchObject({ code: 0 });
});

/** Each rule with one condition left out: a line that begins with `unless` or `and`, or what it waits for. */
function* withoutOneCondition(): Generator<readonly [what: string, rules: string]> {
  const lines = RULES.split("\n");
  for (const [index, line] of lines.entries()) {
    const isCondition = /^\s+(unless|and) .*[^(]$/.test(line);
    const rest = line.trim() === "unless (" ? blockAt(lines, index) : isCondition ? 1 : 0;
    if (rest > 0) yield [`${index + 1}: ${line.trim()}`, lines.toSpliced(index, rest).join("\n")];
    if (/^\s+for: /.test(line)) yield [`${index + 1}: ${line.trim()}`, lines.with(index, "").join("\n")];
  }
}

/** How many lines there are to the bracket that closes. */
function blockAt(lines: readonly string[], index: number): number {
  return lines.slice(index).findIndex((line) => line.trim() === ")") + 1;
}

test("no condition of a rule can be left out without a case that says so", { timeout: 120_000 }, async (context) => {
  requirePrometheus(context);
  const unheld: string[] = [];
  let count = 0;
  for (const [what, rules] of withoutOneCondition()) {
    count += 1;
    const folder = scratch({ "alerts.yml": rules, "alerts.test.yml": CASES });
    expect(await promtool(["check", "rules", `${folder}/alerts.yml`]), what).toMatchObject({ code: 0 });
    if ((await promtool(["test", "rules", `${folder}/alerts.test.yml`])).code === 0) unheld.push(what);
  }
  expect(count).toBeGreaterThan(12);
  expect(unheld).toEqual([]);
});
