/**
 * Fencing tokens rise for ever, whatever is lost: none is granted above the reservation that is on disk, and the next
 * start begins above it. They are µs since 1970, so that a block of them is a stretch of time.
 */

import type { Clock } from "../clock.ts";
import type { Store } from "./store.ts";

/** µs: an hour's tokens are reserved at a time, and the next hour's when half of them are left. */
const BLOCK = 3_600_000_000;

/** Resolves when the first block is reserved; returns what ends it. `fencingEpoch`: the first token, at the machine's zero. */
export async function reserveTokens(options: {
  readonly clock: Clock;
  readonly store: Pick<Store, "reserve">;
  readonly fencingEpoch: number;
}): Promise<() => void> {
  const { clock, store, fencingEpoch } = options;
  const reserve = () => store.reserve(fencingEpoch + clock.now() + BLOCK);
  let cancel: () => void;
  const again = () => {
    cancel = clock.schedule(clock.now() + BLOCK / 2, false, () => {
      // A store that cannot reserve ends the process, or grants nothing until it can.
      void reserve();
      again();
    });
  };
  await reserve();
  again();
  return () => cancel();
}
