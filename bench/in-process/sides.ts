/** What is measured of each library: ns of the thread's CPU for one operation. */

import { tenure } from "../support/collect.ts";
import type { Side } from "../support/in-turns.ts";
import { threadTime } from "../support/thread-time.ts";
import type { Library } from "./libraries.ts";

const QUEUE = 1_000;
const PERMITS = 10;

/** One operation after the other, with permits to spare. */
export function uncontended(library: Library): Side {
  const useOne = library.tryOne(PERMITS);
  return timed(library.share, async () => {
    for (let i = 0; i < library.share; i += 1) await useOne();
  });
}

/** Always as many that wait as the queue is long. Undefined for a library without a queue. */
export function contended(library: Library): Side | undefined {
  if (!library.keepsQueue) return undefined;
  const useOne = library.useOne(PERMITS);
  const share = Math.max(QUEUE, library.share);
  return timed(share, async () => {
    for (let done = 0; done < share; done += QUEUE) {
      await Promise.all(Array.from({ length: QUEUE }, () => useOne()));
    }
  });
}

function timed(share: number, work: () => Promise<void>): Side {
  return async () => {
    tenure();
    const begun = threadTime();
    await work();
    return (threadTime() - begun) / share;
  };
}
