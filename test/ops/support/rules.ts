/** The rules of ops/alerts.yml, and what their tests say of them. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const OPS = fileURLToPath(new URL("../../../ops", import.meta.url));

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RecordedRatio {
  readonly record: string;
  readonly expr: string;
}

/** What a test of promtool expects of one alert at one instant. */
export interface AlertCase {
  readonly alertname: string;
  readonly exp_alerts: readonly object[];
}

export function readOps(name: string): string {
  return readFileSync(`${OPS}/${name}`, "utf8");
}

export const RULES: readonly (Alert | RecordedRatio)[] = (
  parse(readOps("alerts.yml")) as { groups: { rules: (Alert | RecordedRatio)[] }[] }
).groups.flatMap(({ rules }) => rules);

export const ALERTS: readonly Alert[] = RULES.filter((rule) => "alert" in rule);

export const CASES: readonly AlertCase[] = (
  parse(readOps("alerts.test.yml")) as { tests: { alert_rule_test: AlertCase[] }[] }
).tests.flatMap(({ alert_rule_test: cases }) => cases);
