/** The in-process limiter in a real browser: it needs nothing of Node. */

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import type * as InProcess from "../../src/in-process/index.ts";
import { launchChromium } from "../support/chromium.ts";

declare const inProcess: typeof InProcess;

test("limits the work of a page", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("support/in-process-page.ts", import.meta.url))],
    bundle: true,
    platform: "browser",
    format: "iife",
    write: false,
  });
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.setContent("<!doctype html><title>in-process</title>");
  await page.addScriptTag({ content: outputFiles[0]?.text ?? "" });
  const seen = await page.evaluate(async () => {
    const { AdmissionError, createRateLimiter, createRateLimiters } = inProcess;
    const limiter = createRateLimiter({ maxConcurrent: 2, maxRps: 200, burstSize: 1 });
    const limit = limiter.limit();
    let running = 0;
    let most = 0;
    const since = performance.now();
    const results = await limit.map([1, 2, 3, 4, 5, 6, 7, 8], async (item) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return item * 2;
    });
    const took = performance.now() - since;
    const both = createRateLimiters({ db: { maxConcurrent: 1 }, users: { maxConcurrent: 1, keyed: true } });
    const lease = await both.acquire([{ limiter: "db" }, { limiter: "users", key: "ann" }]);
    const refusal = await both.tryAcquire("users", { key: "ann" });
    await lease.release();
    const error = await both.acquire("db", { permits: 2 }).catch((thrown: unknown) => thrown);
    return {
      results,
      most,
      took,
      reason: refusal.granted ? "granted" : refusal.reason,
      isAdmissionError: error instanceof AdmissionError,
      message: String(error),
    };
  });
  expect(seen).toMatchObject({
    results: [2, 4, 6, 8, 10, 12, 14, 16],
    reason: "CONCURRENCY_EXHAUSTED",
    isAdmissionError: true,
  });
  expect(seen.most).toBeLessThanOrEqual(2);
  // Eight starts at 200 a second, the first at once.
  expect(seen.took).toBeGreaterThanOrEqual(34);
  expect(seen.message).toContain("asks for 2 permits; maxConcurrent is 1");
});
