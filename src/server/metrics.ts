/** What the server measures of itself: joins the figures of its parts, and whoever reads them. */

import type { Clock } from "./clock.ts";
import { addressText, type MetricsSettings } from "./config/settings.ts";
import type { FrontFigures } from "./front/front.ts";
import { createThreadMeter } from "./front/thread-meter.ts";
import type { Log } from "./log.ts";
import { createCollect } from "./metrics/collect.ts";
import { createProcessReader } from "./metrics/process-figures.ts";
import { createScraper } from "./metrics/scraper.ts";
import type { ServerFigures } from "./metrics/server-samples.ts";
import type { Owner } from "./owner.ts";
import type { Scraper } from "./scrape.ts";
import type { Store } from "./store/store.ts";
import type { BoundAddress } from "./transport/port/options.ts";
import { createMetricsListener } from "./transport/web/metrics-listener.ts";
import { VERSION } from "./version.ts";

export interface Metrics {
  readonly scraper: Scraper;
  /** Opens the port for metrics alone, if the settings have one. Rejects with what is wrong, where, and what to do. */
  listen(): Promise<BoundAddress | undefined>;
  /** Measures no more. Harmless to call twice. */
  close(): Promise<void>;
}

export interface MetricsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: Owner;
  readonly store: Store;
  readonly front: () => Promise<FrontFigures>;
  /** In force now. */
  readonly settings: () => MetricsSettings;
  readonly server: () => Omit<ServerFigures, "version">;
}

/** Nothing listens yet. */
export function createMetrics({ clock, log, owner, store, front, settings, server }: MetricsOptions): Metrics {
  const meter = createThreadMeter(clock);
  const { listen } = settings();
  /** Gives other calls a turn. */
  const turn = () => new Promise<void>((resolve) => void clock.schedule(clock.now(), false, resolve));
  const collect = createCollect(
    {
      ...owner.look,
      front,
      main: meter.read,
      store: store.figures,
      server: () => ({ ...server(), version: VERSION }),
      process: createProcessReader(clock.wallTime(0)),
      series: settings,
    },
    turn,
  );
  const scraper = createScraper({ collect, turn });
  const listener = listen === undefined ? undefined : createMetricsListener({ scraper, clock, log });
  return {
    scraper,
    listen: async () => (listen === undefined ? undefined : listener?.listen(addressText(listen))),
    async close() {
      meter.stop();
      await listener?.close();
    },
  };
}
