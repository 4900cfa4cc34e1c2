/** Opens the front that the settings ask for: in this thread, or in threads of its own. */

import type { Clock } from "../clock.ts";
import type { Engines } from "../engine/remote/messages.ts";
import type { ReadLoad } from "../load.ts";
import type { Log } from "../log.ts";
import type { Scraper } from "../scrape.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { createConnectionPlaces } from "../transport/port/connection-places.ts";
import { canSharePorts } from "../transport/port/port-sharing.ts";
import type { Front, ServerState } from "./front.ts";
import { createSharedMemory } from "./shared-memory.ts";
import { startWorkerFronts } from "./workers/worker-fronts.ts";

export interface OpenFrontOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly engines: Engines;
  /** 32 bytes under which the secrets of leases are made. */
  readonly secretKey: Uint8Array;
  readonly state: ServerState;
  /** What the web port serves at `/metrics`; undefined: nothing. */
  readonly scraper: Scraper | undefined;
  /** What the services say that the server carries. */
  readonly load: ReadLoad;
  /** Unset: no spans are made. */
  readonly tracing?: Pick<Tracing, "tracer" | "take"> | undefined;
  /** Called when the front can serve no more; the message says why. */
  readonly onFatal: (message: string) => void;
}

/** Nothing listens yet. */
export async function openFront(options: OpenFrontOptions): Promise<Front> {
  const { clock, log, engines, secretKey, state, scraper, load, tracing } = options;
  const { workers, limits } = state.settings;
  if (workers > 0) {
    const count = await workersThatCanListen(workers, log);
    return startWorkerFronts({ ...options, count, onSpans: tracing?.take });
  }
  // Loaded where it is needed: with workers the main thread carries nothing.
  const { createLocalFront } = await import("./local-front.ts");
  const shared = { memory: createSharedMemory(1), own: 0, now: clock.now };
  const places = () => createConnectionPlaces(limits.maxConnections);
  return createLocalFront({
    ...{ clock, log, secretKey, state, shared, scraper, load },
    engine: engines.limiters,
    boards: engines.boards,
    places: { grpc: places(), web: places() },
    tracer: tracing?.tracer,
  });
}

async function workersThatCanListen(workers: number, log: Log): Promise<number> {
  if (workers === 1 || (await canSharePorts())) return workers;
  log.warn(
    { event: "one-worker", workers },
    "this system cannot share a port between threads (Linux can, with Node 22.12 or later): one transport worker carries all connections",
  );
  return 1;
}
