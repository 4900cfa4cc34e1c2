/** A real Prometheus with what ops/ has, and every minute of it a second. */

import { setTimeout as pause } from "node:timers/promises";
import { type RunningPrometheus, runPrometheus } from "../../support/prometheus.ts";
import { readOps } from "./rules.ts";

/** As the head of ops/alerts.yml has it. */
function shortened(rules: string): string {
  return rules.replaceAll(/\b(\d+)m\b/g, "$1s").replaceAll("> 60", "> 1");
}

/** Starts one that scrapes these addresses, host:port, four times a second, and ends with the test. */
export function startWithAlerts(...targets: readonly string[]): Promise<RunningPrometheus> {
  return runPrometheus({
    "prometheus.yml": readOps("prometheus.yml")
      .replaceAll("15s", "250ms")
      .replace("localhost:8080", targets.join('", "')),
    "alerts.yml": shortened(readOps("alerts.yml")),
  });
}

interface Alert {
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** ms. */
const LOOK = 100;

/** Resolves with all that fires as soon as these alerts do. `meanwhile` is called between looks. */
export async function untilFiring(
  prometheus: RunningPrometheus,
  names: readonly string[],
  meanwhile = async () => {},
): Promise<readonly Alert[]> {
  for (;;) {
    const answer = await prometheus.ask<{ readonly alerts: readonly Alert[] }>("/api/v1/alerts");
    const firing = (answer?.alerts ?? []).filter(({ state }) => state === "firing");
    if (names.every((name) => firing.some(({ labels }) => labels.alertname === name))) return firing;
    await meanwhile();
    await pause(LOOK);
  }
}

interface Rule {
  readonly name: string;
  readonly lastError?: string;
}

/** What Prometheus says of each rule that it cannot evaluate; the names of all that it has. */
export async function rulesOf(
  prometheus: RunningPrometheus,
): Promise<{ readonly names: readonly string[]; readonly errors: readonly string[] }> {
  const answer = await prometheus.ask<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }>(
    "/api/v1/rules",
  );
  const rules = (answer?.groups ?? []).flatMap((group) => group.rules);
  const errors = rules.flatMap(({ name, lastError }) => (lastError ? [`${name}: ${lastError}`] : []));
  return { names: rules.map(({ name }) => name), errors };
}
