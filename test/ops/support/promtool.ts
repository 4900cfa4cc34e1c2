/** promtool, which reads rules and queries as Prometheus does. */

import { spawnSync } from "node:child_process";
import type { TestContext } from "vitest";
import { requireTool } from "../../support/require-tool.ts";

/** Skips the test, by name, where there is no Prometheus; in CI it fails instead. */
export function requirePrometheus(context: TestContext): void {
  requireTool(context, {
    name: "Prometheus with promtool",
    probe: ["promtool", "--version"],
    install: "apt-get install prometheus",
  });
}

/** Runs it to its end; `ok` is whether it found nothing wrong. */
export function promtool(...args: readonly string[]): { readonly ok: boolean; readonly printed: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  return { ok: status === 0, printed: `${stdout}${stderr}` };
}
