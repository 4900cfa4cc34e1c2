/** Sums up what the server carries now, of all its threads. */

import type { Clock } from "../clock.ts";
import type { ThreadFigures } from "../front/thread-meter.ts";
import type { ReadLoad, ServerLoad } from "../load.ts";
import type { Sources } from "./collect.ts";

export interface ServerLoadOptions extends Pick<Sources, "front" | "main" | "store"> {
  readonly clock: Clock;
}

/** µs in which a disk has to say what it has. */
const STORE_PATIENCE = 1_000_000;

/** Whoever asks while a reading is under way gets that one: many who ask cost no more than one who does. */
export function createServerLoad({ clock, front, main, store }: ServerLoadOptions): ReadLoad {
  let underWay: Promise<ServerLoad> | undefined;

  async function read(): Promise<ServerLoad> {
    const [{ calls, connections, threads }, storeBytes] = await Promise.all([front(), sizeInTime()]);
    const all = [["main", main()] as const, ...threads];
    return {
      streams: calls.streams.filter(([, open]) => open > 0),
      connections,
      loopDelay: worstOf(all),
      heapUsed: sum(all.map(([, { heapUsed }]) => heapUsed)),
      heapTotal: sum(all.map(([, { heapTotal }]) => heapTotal)),
      storeBytes,
    };
  }

  async function sizeInTime(): Promise<number | undefined> {
    const late = Promise.withResolvers<undefined>();
    const cancel = clock.schedule(clock.now() + STORE_PATIENCE, false, () => late.resolve(undefined));
    const figures = await Promise.race([store(), late.promise]);
    cancel();
    return figures?.bytes;
  }

  return () => {
    underWay ??= read().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

function worstOf(threads: readonly (readonly [name: string, figures: ThreadFigures])[]): ServerLoad["loopDelay"] {
  const worst = { p50: 0, p99: 0, longest: 0, thread: "main" };
  for (const [thread, { recentDelay }] of threads) {
    if (recentDelay.longest > worst.longest) worst.thread = thread;
    worst.p50 = Math.max(worst.p50, recentDelay.p50);
    worst.p99 = Math.max(worst.p99, recentDelay.p99);
    worst.longest = Math.max(worst.longest, recentDelay.longest);
  }
  return worst;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
