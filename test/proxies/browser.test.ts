/** A page whose calls go through a proxy: HTTP/2 gives it as many streams as it likes. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { bundleFiles, type Files, serveSite } from "../browser/support/site.ts";
import { startRealServer } from "../client/support/real-server.ts";
import { launchChromium } from "../support/chromium.ts";
import { KINDS } from "./support/kinds.ts";
import { pageConfig } from "./support/page.ts";
import { startProxy } from "./support/proxy.ts";

/** What the pages have. */
declare const backpressure: import("../browser/support/client-page.ts").ClientPage;

let browser: Browser;
let files: Files;

beforeAll(async () => {
  [browser, files] = await Promise.all([launchChromium(), bundleFiles()]);
});
afterAll(() => browser?.close());

describe.each(KINDS)("through $name", (kind) => {
  beforeEach(kind.require);

  test("one page holds a dozen leases, waits for another, and is granted it", async () => {
    const site = await serveSite(files);
    onTestFinished(() => site[Symbol.asyncDispose]());
    const server = await startRealServer("limiters: [{ name: db, max_concurrent: 12, ttl: 10s }]", [site.origin]);
    const proxy = await startProxy(kind, pageConfig(kind), { grpc: server.address, web: server.url });
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`${site.origin}/client`);
    const areValid = await page.evaluate(async (url) => {
      const client = backpressure.connect(url);
      const leases = await Promise.all(Array.from({ length: 12 }, () => client.acquire("db")));
      const waiting = client.acquire("db", { onWaiting: () => void leases[0]?.release() });
      const last = await waiting;
      return last.valid && leases.slice(1).every(({ valid }) => valid);
    }, proxy.web);
    expect(areValid).toBe(true);
  });
});
