import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/server/config/default-config.ts";
import { useBrowser } from "./support/browser.ts";

/** What the pages of the client have. */
declare const backpressure: import("./support/client-page.ts").ClientPage;

/** What a page keeps between two looks. */
declare const held: import("ggen-backpressure").Lease[];

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

/** Many permits, and a ttl that runs out several times while the tests look. */
const TTL = 2000;
const MANY = `limiters: [{ name: db, max_concurrent: 100, ttl: ${TTL}ms }]`;

/** Acquires `leases` leases in a page, which keeps them; resolves with the name of the error that each ended with, or "held". */
function acquireMany(page: Page, url: string, leases: number): Promise<string[]> {
  return page.evaluate(
    async ([address, count]) => {
      const client = backpressure.connect(address);
      Object.assign(globalThis, { held: [] });
      const tries = Array.from({ length: count }, () =>
        client.acquire("db").then(
          (lease) => {
            held.push(lease);
            return "held";
          },
          (error: Error) => error.name,
        ),
      );
      return Promise.all(tries);
    },
    [url, leases] as const,
  );
}

/** Watches until each lease has lived for three of its ttls, and says how many of them are valid. */
async function validAfterThreeTtls(pages: readonly Page[]): Promise<number> {
  const counts = await Promise.all(
    pages.map((page) =>
      page.evaluate(async (wait) => {
        await new Promise((resolve) => setTimeout(resolve, wait));
        return held.filter((lease) => lease.valid).length;
      }, 3 * TTL),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

test.each([3, 8])(
  "of %i tabs over HTTP/1.1 none loses what it holds, and those beyond four streams are refused with that",
  async (count) => {
    const { server, site } = await browser.start(MANY);
    const pages = await browser.openTabs(...Array.from({ length: count }, () => `${site.origin}/client`));
    const ends: string[] = [];
    for (const page of pages) ends.push(...(await acquireMany(page, server.url, 2)));
    expect(ends.filter((end) => end === "held")).toHaveLength(4);
    expect(ends.filter((end) => end === "TooManyStreamsError")).toHaveLength(2 * count - 4);
    expect(await validAfterThreeTtls(pages)).toBe(4);
  },
);

test("a tab that closes or crashes leaves its places to the others", async () => {
  const { server, site } = await browser.start(MANY);
  const [first, second, third] = await browser.openTabs(...Array.from({ length: 3 }, () => `${site.origin}/client`));
  if (first === undefined || second === undefined || third === undefined) throw new Error("no tabs were opened");
  expect(await acquireMany(first, server.url, 2)).toEqual(["held", "held"]);
  expect(await acquireMany(second, server.url, 2)).toEqual(["held", "held"]);
  expect(await acquireMany(third, server.url, 1)).toEqual(["TooManyStreamsError"]);
  await first.close();
  // The browser gives back a tab's locks a moment after it has closed.
  await expect.poll(() => acquireMany(third, server.url, 1), { timeout: 10_000 }).toEqual(["held"]);
  const crashed = second.waitForEvent("crash");
  await second.goto("chrome://crash").catch(() => {});
  await crashed;
  await expect.poll(() => acquireMany(third, server.url, 2), { timeout: 10_000 }).toEqual(["held", "held"]);
});

test("tabs of two origins, which cannot count together, lose nothing: leases go on without their streams", async () => {
  const other = await browser.strangeSite();
  const { server, site } = await browser.start(MANY, (origin) => [origin, other.origin]);
  const pages = await browser.openTabs(`${site.origin}/client`, `${other.origin}/client`);
  for (const page of pages) {
    expect(await acquireMany(page, server.url, 3)).toEqual(["held", "held", "held"]);
  }
  expect(await validAfterThreeTtls(pages)).toBe(6);
});
