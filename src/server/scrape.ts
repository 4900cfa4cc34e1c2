/** How metrics are read as text: a port between whoever has them and whoever serves them. */

/** The text format of Prometheus, or OpenMetrics. */
export type ExpositionFormat = "prometheus" | "openmetrics";

/**
 * Begins a scrape, whose text comes piece by piece, each when it is asked for. The first throws `TooManyScrapes` where as many are
 * under way as may be. Whoever does not read to the end calls `return`.
 */
export type Scraper = (format: ExpositionFormat) => AsyncGenerator<string, void, void>;

export class TooManyScrapes extends Error {
  override readonly name = "TooManyScrapes";

  constructor() {
    super(
      "as many scrapes are under way as may be; ask again in a second, and let one Prometheus be enough for a server",
    );
  }
}
