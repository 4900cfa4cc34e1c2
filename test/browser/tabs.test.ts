import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/server/config/default-config.ts";
import { useBrowser } from "./support/browser.ts";

const browser = useBrowser();

/** A limiter of one permit, whose ttl the test does not live to see. */
const LONG_TTL = "limiters: [{ name: sample, max_concurrent: 1, ttl: 1h, max_ttl: 1h }]";

/** Opens the example's page, which holds and shows what it does, in as many tabs. */
async function openExample(yaml: string, tabs: number): Promise<Page[]> {
  const { server, site } = await browser.start(yaml);
  const url = `${site.origin}/?server=${encodeURIComponent(server.url)}`;
  return browser.openTabs(...Array.from({ length: tabs }, () => url));
}

/** Presses the button, and waits until the page shows this. */
async function acquire(page: Page | undefined, shows: RegExp): Promise<void> {
  await page?.getByRole("button", { name: "Acquire" }).click();
  await untilShown(page, shows);
}

async function giveBack(page: Page | undefined, shows: RegExp): Promise<void> {
  await page?.getByRole("button", { name: "Give back" }).click();
  await untilShown(page, shows);
}

async function untilShown(page: Page | undefined, text: RegExp): Promise<void> {
  await page?.getByRole("status").filter({ hasText: text }).waitFor();
}

test("one tab holds, the others show their place, and are granted in the order in which they asked", async () => {
  const [first, second, third] = await openExample(LONG_TTL, 3);
  await acquire(first, /^holding/);
  await acquire(second, /^waiting, 0 before me/);
  await acquire(third, /^waiting, 1 before me/);
  await giveBack(first, /^given back/);
  await untilShown(second, /^holding/);
  await untilShown(third, /^waiting, 0 before me/);
  await giveBack(second, /^given back/);
  await untilShown(third, /^holding/);
});

test("a tab that gives up waiting leaves the queue", async () => {
  const [first, second, third] = await openExample(LONG_TTL, 3);
  await acquire(first, /^holding/);
  await acquire(second, /^waiting, 0/);
  await acquire(third, /^waiting, 1/);
  await giveBack(second, /^given up/);
  await untilShown(third, /^waiting, 0/);
});

test.each([
  ["with the limiter of the default configuration, whose ttl is zero", DEFAULT_CONFIG],
  ["long before the ttl has passed, since the page says so on leaving", LONG_TTL],
])("a closed tab frees its lease at once, %s", async (_, yaml) => {
  const [first, second] = await openExample(yaml, 2);
  await acquire(first, /^holding/);
  await acquire(second, /^waiting/);
  await first?.close();
  await untilShown(second, /^holding/);
});

test("a tab that goes elsewhere frees its lease at once", async () => {
  const [first, second] = await openExample(LONG_TTL, 2);
  await acquire(first, /^holding/);
  await acquire(second, /^waiting/);
  await first?.goto("about:blank");
  await untilShown(second, /^holding/);
});

test("a tab that crashes says nothing: its lease is free when the ttl has passed, and not before", async () => {
  const ttl = 1500;
  const [first, second] = await openExample(`limiters: [{ name: sample, max_concurrent: 1, ttl: ${ttl}ms }]`, 2);
  await acquire(first, /^holding/);
  await acquire(second, /^waiting/);
  const crashed = first?.waitForEvent("crash");
  const since = performance.now();
  await first?.goto("chrome://crash").catch(() => {});
  await crashed;
  await untilShown(second, /^holding/);
  expect(performance.now() - since).toBeGreaterThanOrEqual(ttl);
});
