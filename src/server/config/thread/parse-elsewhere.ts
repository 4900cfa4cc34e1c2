/** Parses and checks a configuration in a thread of its own, so that the server goes on meanwhile. */

import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { BoardConfig } from "../../machine/board/model.ts";
import type { LimiterConfig } from "../../machine/limiter/limiter.ts";
import type { ConfigOrigin, ConfigReading } from "../config.ts";
import type { FromParser, ParseJob } from "./messages.ts";

/** The sources run as they are, the package is compiled. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./config-worker.ts" : "./config-worker.js", import.meta.url);

/** MB: the collector of the thread need not be as frugal as the server's is (`npm start`), and its pauses hold up no call. */
const YOUNG_GENERATION = 64;

/** As `parseConfig`; rejects if the thread fails, or when `signal` is aborted. */
export async function parseElsewhere(text: string, origin: ConfigOrigin, signal: AbortSignal): Promise<ConfigReading> {
  const workerData: ParseJob = { text, origin };
  const worker = new Worker(WORKER, { workerData, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION } });
  const failed = Promise.withResolvers<never>();
  const fail = (error: unknown) => failed.reject(error);
  failed.promise.catch(() => {});
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`the thread that parses the configuration has ended with ${code}`)));
  const onAbort = () => fail(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();

  function next(): Promise<FromParser> {
    const message = new Promise<FromParser>((resolve) => worker.once("message", resolve));
    worker.postMessage("next");
    return Promise.race([message, failed.promise]);
  }

  try {
    const first = await next();
    if (first.kind === "invalid") return first;
    if (first.kind !== "loaded")
      throw new Error(`the thread that parses the configuration said ${first.kind} at first`);
    const limiters: LimiterConfig[] = [];
    const boards: BoardConfig[] = [];
    for (let part = await next(); part.kind !== "end"; part = await next()) {
      if (part.kind === "limiters") limiters.push(...part.limiters);
      else if (part.kind === "boards") boards.push(...part.boards);
      // Its answer may be here already: other calls get a turn all the same.
      await turn();
    }
    return { ...first, origin, text, limiters, boards };
  } finally {
    signal.removeEventListener("abort", onAbort);
    await worker.terminate();
  }
}
