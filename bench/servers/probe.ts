/** Loaded into a server that is measured (`node --import`): tells its parent what it has used, when asked. */

import { collect } from "../support/collect.ts";

export interface Usage {
  /** µs of CPU, of all threads, since the start. */
  readonly cpu: number;
  /** Of the main thread alone, where the engine is. */
  readonly mainCpu: number;
  /** Bytes. */
  readonly rss: number;
  /** The most that it ever was. */
  readonly peakRss: number;
  /** Bytes on V8's heap and in its buffers. */
  readonly heap: number;
}

export type ProbeQuestion =
  | { readonly kind: "usage" }
  /** The same after everything was collected that can be. */
  | { readonly kind: "usage-collected" };

process.on("message", ({ kind }: ProbeQuestion) => {
  if (kind === "usage-collected") collect();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const peakRss = process.resourceUsage().maxRSS * 1_024;
  const main = process.threadCpuUsage();
  const usage: Usage = {
    cpu: user + system,
    mainCpu: main.user + main.system,
    rss,
    peakRss,
    heap: heapUsed + external,
  };
  process.send?.(usage);
});
