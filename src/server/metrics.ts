/** What the server measures of itself: joins the figures of its parts, and whoever reads them. */

import type { Clock } from "./clock.ts";
import { type OtlpSettings, otlpUrl } from "./config/otlp-target.ts";
import { addressText, hostsOf, type MetricsSettings } from "./config/settings.ts";
import type { FrontFigures } from "./front/front.ts";
import { createThreadMeter } from "./front/thread-meter.ts";
import type { ReadLoad } from "./load.ts";
import type { Log } from "./log.ts";
import { type Collect, createCollect } from "./metrics/collect.ts";
import type { MetricsExporter } from "./metrics/exporter.ts";
import { createProcessReader } from "./metrics/process-figures.ts";
import { createScraper } from "./metrics/scraper.ts";
import { createServerLoad } from "./metrics/server-load.ts";
import type { ServerFigures } from "./metrics/server-samples.ts";
import type { Resource } from "./otlp/resource.ts";
import type { Owner } from "./owner.ts";
import type { Scraper } from "./scrape.ts";
import type { Store } from "./store/store.ts";
import type { BoundAddress } from "./transport/port/options.ts";
import { createMetricsListener } from "./transport/web/metrics-listener.ts";
import { VERSION } from "./version.ts";

export interface Metrics {
  readonly scraper: Scraper;
  readonly load: ReadLoad;
  /** Opens the port for metrics alone, if the settings have one. Rejects with what is wrong, where, and what to do. */
  listen(): Promise<BoundAddress | undefined>;
  /** Sends what is measured now to the receiver, if there is one, and nothing more from here on. Waits two seconds at most. */
  sendLast(): Promise<void>;
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
  /** Names, beside that of `listen`, by which browsers reach the port of metrics. */
  readonly webHosts: readonly string[];
  readonly server: () => Omit<ServerFigures, "version">;
  readonly resource: Resource;
}

/** Nothing listens yet. What sends metrics is loaded only where a receiver is configured. */
export async function createMetrics(options: MetricsOptions): Promise<Metrics> {
  const { clock, log, owner, store, front, settings, webHosts, server, resource } = options;
  const meter = createThreadMeter(clock);
  const { listen, otlp, exportInterval } = settings();
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
  const load = createServerLoad({ clock, front, main: meter.read, store: store.figures });
  const listener =
    listen === undefined ? undefined : createMetricsListener({ scraper, hosts: hostsOf(listen, webHosts), clock, log });
  const exporter =
    otlp && (await openExporter({ clock, log, collect, turn, resource, target: otlp, interval: exportInterval }));
  return {
    scraper,
    load,
    listen: async () => (listen === undefined ? undefined : listener?.listen(addressText(listen))),
    sendLast: async () => exporter?.close(),
    async close() {
      meter.stop();
      await listener?.close();
    },
  };
}

async function openExporter(options: {
  readonly clock: Clock;
  readonly log: Log;
  readonly collect: Collect;
  readonly turn: () => Promise<void>;
  readonly resource: Resource;
  readonly target: OtlpSettings;
  /** µs. */
  readonly interval: number;
}): Promise<MetricsExporter> {
  const { clock, resource, target, ...rest } = options;
  const [{ createMetricsExporter }, { createOtlpSender }] = await Promise.all([
    import("./metrics/exporter.ts"),
    import("./otlp/sender.ts"),
  ]);
  return createMetricsExporter({
    ...rest,
    clock,
    url: otlpUrl(target, "metrics"),
    about: { resource: resource.attributes, version: VERSION, since: clock.wallTime(clock.now()) },
    send: createOtlpSender({ target, signal: "metrics" }),
  });
}
