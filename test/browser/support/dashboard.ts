/** The dashboard in a real browser, from a real server. */

import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { buildForSources } from "../../../tools/build-dashboard.ts";
import { launchChromium } from "../../support/chromium.ts";

export interface Dashboard {
  /**
   * Opens the dashboard of the server at `url`, at `hash`. At the end of the test the page is closed; it fails if the page has
   * broken its own policy, or has thrown.
   */
  open(url: string, hash?: string, options?: BrowserContextOptions): Promise<Page>;
}

/** ms to wait for what a page shall show: shorter than a test may take, so that it says what it waited for. */
const PATIENCE = 10_000;

/** Builds the page, and starts the browser, before the tests of the file that calls this. */
export function useDashboard(): Dashboard {
  let browser: Browser;
  beforeAll(async () => {
    [browser] = await Promise.all([launchChromium(), buildForSources()]);
  });
  afterAll(() => browser?.close());

  return {
    async open(url, hash = "", options = {}) {
      // Sandboxes have a POSIX locale, which no person's browser has.
      const context = await browser.newContext({ locale: "en-GB", ...options });
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      const faults = watchFaults(page);
      onTestFinished(async () => {
        await context.close();
        expect(faults).toEqual([]);
      });
      await page.goto(`${url}/${hash}`);
      return page;
    },
  };
}

/** What the page has thrown, and what its policy has kept it from. A server that is away is none of its faults. */
function watchFaults(page: Page): readonly string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/Failed to load resource|net::ERR_/.test(text)) faults.push(text);
  });
  return faults;
}
