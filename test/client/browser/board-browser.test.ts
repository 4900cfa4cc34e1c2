import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BoardClient } from "../../../src/client/api/board-client.ts";
import type { Work } from "../../../src/client/api/work.ts";
import { launchChromium } from "../../support/chromium.ts";
import { type Bundle, bundleForBrowsers, openPage } from "../support/browser.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";

/** What the page has. */
declare const backpressure: typeof import("../../../src/client/index.browser.ts");
declare global {
  var works: unknown[];
}

const BOARD = "boards: [{ name: release, ttl: 60s }]";

let bundle: Bundle;
let browser: Browser;

beforeAll(async () => {
  bundle = await bundleForBrowsers();
  browser = await launchChromium();
});

afterAll(() => browser.close());

/** Resolves when so many cards are worked on. */
async function untilActive(board: BoardClient, active: number): Promise<void> {
  for await (const { cards } of board.watch()) {
    if ([...cards.values()].filter(({ state }) => state === "active").length === active) return;
  }
}

describe("a worker in a browser, over HTTP/1.1", () => {
  it("adds, watches, works in a loop, and ends cards as it likes", async () => {
    const { url } = await startRealServer(BOARD);
    const page = await openPage(browser, url, bundle);
    const said = await page.evaluate(async () => {
      const client = backpressure.connect("", { holder: "page" });
      const board = client.board("release");
      const loop = board.work("InProgress", (card) => ({ did: card.title }), { worker: "page loop" });
      const { id } = await board.add({ title: "one" });
      for await (const { cards } of board.watch()) if (cards.get(id)?.state === "finished") break;
      await loop.stop();
      const review = await board.pull("Review");
      const { worker } = review.card.lease ?? {};
      const { state, result } = await review.finish(review.card.result);
      const attempt = await board.tryPull("InProgress");
      return { worker, state, result, reason: attempt.granted ? "" : attempt.reason };
    });
    expect(said).toEqual({ worker: "page", state: "completed", result: '{"did":"one"}', reason: "NO_CARD" });
  });

  it("gives its cards back at once when the page goes away, though their ttl is long; a person's stays", async () => {
    const { url, address } = await startRealServer(BOARD);
    const board = connectForTest(address).board("release");
    for (const id of ["#1", "#2", "#3"]) await board.add({ id });
    const page = await openPage(browser, url, bundle);
    await page.evaluate(async () => {
      const release = backpressure.connect("").board("release");
      const works: (Work | { granted: false })[] = [
        await release.pull("InProgress"),
        await release.tryPull("InProgress", { ttl: 60_000 }),
        await release.tryPull("InProgress"),
      ];
      globalThis.works = works;
    });
    await untilActive(board, 3);
    await page.goto("about:blank");
    await untilActive(board, 1);
    expect(await board.get("#3")).toMatchObject({ state: "active", lease: { ttlMs: undefined } });
  });
});
