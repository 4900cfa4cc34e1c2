/** What axe finds on a page. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

declare const axe: typeof import("axe-core");

const SOURCE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** Returns each serious or critical violation with where it is. Moderate ones are its advice. */
export async function seriousViolations(page: Page): Promise<readonly string[]> {
  await page.evaluate(SOURCE);
  const { violations }: AxeResults = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" | ")}`);
}
