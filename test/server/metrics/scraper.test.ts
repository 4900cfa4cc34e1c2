/** How a scrape goes: one piece in a turn, a few at once, and its place free again however it ends. */

import { expect, test } from "vitest";
import { Labels } from "../../../src/server/metrics/labels.ts";
import { samplesOf } from "../../../src/server/metrics/samples.ts";
import { createScraper } from "../../../src/server/metrics/scraper.ts";
import { TooManyScrapes } from "../../../src/server/scrape.ts";

const LIMITERS = Array.from({ length: 10_000 }, (_, index) => new Labels(["limiter"], [`l${index}`]));

function start({ fails = false } = {}) {
  let turns = 0;
  const scraper = createScraper({
    async collect() {
      if (fails) throw new Error("the engine has ended");
      return [
        samplesOf(
          "limiterWaiters",
          LIMITERS.map((labels) => ({ labels, value: 0 })),
        ),
      ];
    },
    async turn() {
      turns += 1;
    },
  });
  return { scraper, turns: () => turns };
}

test("each piece is written in a turn of its own, when it is asked for", async () => {
  const { scraper, turns } = start();
  const pieces = scraper("prometheus");
  expect(turns()).toBe(0);
  for (let piece = 1; piece <= 3; piece++) {
    await pieces.next();
    expect(turns()).toBe(piece);
  }
  await pieces.return();
});

test("a third scrape at once is refused, and finds a place when another has ended, been left, or failed", async () => {
  const { scraper } = start();
  const [first, second] = [scraper("prometheus"), scraper("openmetrics")];
  await first.next();
  await second.next();
  await expect(scraper("prometheus").next()).rejects.toThrow(TooManyScrapes);
  await second.return();
  const third = scraper("prometheus");
  expect((await third.next()).done).toBe(false);
  for await (const _piece of first);
  expect((await scraper("prometheus").next()).done).toBe(false);

  const { scraper: failing } = start({ fails: true });
  for (let index = 0; index < 3; index++) {
    await expect(failing("prometheus").next()).rejects.toThrow("the engine has ended");
  }
});
