/** Scrapes: each is written piece by piece, one in a turn of the event loop, and only a few at once. */

import { type Scraper, TooManyScrapes } from "../scrape.ts";
import type { Collect } from "./collect.ts";
import { writeExposition } from "./exposition.ts";

export interface ScraperOptions {
  readonly collect: Collect;
  /** Resolves in another turn of the event loop. */
  readonly turn: () => Promise<void>;
}

/** Two Prometheus may ask at the same instant; a third waits for its next turn. */
const MOST_SCRAPES = 2;

export function createScraper({ collect, turn }: ScraperOptions): Scraper {
  let underWay = 0;
  return async function* scrape(format) {
    if (underWay >= MOST_SCRAPES) throw new TooManyScrapes();
    underWay += 1;
    try {
      const pieces = writeExposition(await collect(), format);
      for (;;) {
        await turn();
        const piece = pieces.next();
        if (piece.done) return;
        yield piece.value;
      }
    } finally {
      underWay -= 1;
    }
  };
}
