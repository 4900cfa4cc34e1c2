/**
 * The pictures of the dashboard in `docs/`, and what axe says of each. They are made each time and kept where
 * `SCREENSHOTS=write` asks for it.
 */

import { mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { seriousViolations } from "./support/axe.ts";
import { BOARD, workOnBoard } from "./support/busy-board.ts";
import { startBusyServer } from "./support/busy-server.ts";
import { useDashboard } from "./support/dashboard.ts";

const dashboard = useDashboard();

const FOLDER =
  process.env.SCREENSHOTS === "write"
    ? fileURLToPath(new URL("../../docs/screenshots", import.meta.url))
    : join(tmpdir(), "backpressure-screenshots");

const SCREENS: readonly (readonly [name: string, options: BrowserContextOptions])[] = [
  ["light", { viewport: { width: 1280, height: 760 }, colorScheme: "light" }],
  ["dark", { viewport: { width: 1280, height: 760 }, colorScheme: "dark" }],
  ["phone", { viewport: { width: 360, height: 740 }, deviceScaleFactor: 1, colorScheme: "light" }],
];

/** Each page, and what shows that it is whole. */
const VIEWS: readonly (readonly [name: string, hash: string, ready: (page: Page) => Promise<void>])[] = [
  ["overview", "", (page) => page.locator("tbody tr .state.stuck").first().waitFor()],
  [
    "limiter",
    "#/limiters/gpu-pool",
    async (page) => {
      await page.locator("tr[data-lease]").first().waitFor();
      await page.locator(".canvas canvas").nth(2).waitFor();
    },
  ],
  ["server", "#/server", (page) => page.getByText(/^Streams: /).waitFor()],
  ["board", "#/boards/release-2.4", (page) => page.locator("[data-card]").first().waitFor()],
];

test("each page in light, in dark and on a phone, with nothing wider than the screen", {
  timeout: 120_000,
}, async () => {
  const busy = await startBusyServer({ yaml: BOARD, before: workOnBoard });
  onTestFinished(() => busy[Symbol.asyncDispose]());
  mkdirSync(FOLDER, { recursive: true });
  for (const [screen, options] of SCREENS) {
    for (const [view, hash, ready] of VIEWS) {
      const page = await dashboard.open(busy.server.url, hash, options);
      await ready(page);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
      const path = join(FOLDER, `${view}-${screen}.png`);
      await page.screenshot({ path, animations: "disabled", fullPage: screen !== "phone" });
      expect(statSync(path).size).toBeGreaterThan(10_000);
      expect([view, screen, await seriousViolations(page)]).toEqual([view, screen, []]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect([view, screen, overflow <= 0]).toEqual([view, screen, true]);
    }
  }
});
