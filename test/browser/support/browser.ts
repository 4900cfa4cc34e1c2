/** One browser for the tests of a file, and the sites that its tabs open. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type ChromiumOptions, launchChromium } from "../../support/chromium.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { bundleFiles, type Files, type Site, serveSite } from "./site.ts";

export interface TestBrowser {
  /** A server that knows the site's origin, as `origins` writes it. Both end with the test. */
  start(
    yaml: string,
    origins?: (origin: string) => readonly string[],
  ): Promise<{ readonly server: TestServer; readonly site: Site }>;
  /** A site whose origin no server knows that is not told of it. */
  strangeSite(): Promise<Site>;
  /** Opens tabs of one profile, as a person does. They are closed with the test. */
  openTabs(...urls: readonly string[]): Promise<Page[]>;
  /** Opens a page that has the client as the global `backpressure`. */
  openClient(site: Site): Promise<Page>;
}

/** ms to wait for what a page shall show: shorter than a test may take, so that it says what it waited for. */
const PATIENCE = 10_000;

/** Starts it before the tests of the file that calls this, and ends it after them. */
export function useBrowser(options: ChromiumOptions = {}): TestBrowser {
  let browser: Browser;
  let files: Files;

  beforeAll(async () => {
    [browser, files] = await Promise.all([launchChromium(options), bundleFiles()]);
  });
  afterAll(() => browser?.close());

  async function serve(): Promise<Site> {
    const site = await serveSite(files);
    onTestFinished(() => site[Symbol.asyncDispose]());
    return site;
  }

  async function openTabs(...urls: readonly string[]): Promise<Page[]> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    context.setDefaultTimeout(PATIENCE);
    const pages: Page[] = [];
    for (const url of urls) {
      const page = await context.newPage();
      await page.goto(url);
      pages.push(page);
    }
    return pages;
  }

  return {
    async start(yaml, origins = (origin) => [origin]) {
      const site = await serve();
      const server = await startTestServer(yaml, { corsOrigins: origins(site.origin) });
      onTestFinished(() => server[Symbol.asyncDispose]());
      return { server, site };
    },
    strangeSite: serve,
    openTabs,
    async openClient({ origin }) {
      const [page] = await openTabs(`${origin}/client`);
      if (page === undefined) throw new Error("no tab was opened");
      return page;
    },
  };
}
