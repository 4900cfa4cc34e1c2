/** Opens the store that the configuration asks for, and says in the log what was found in it. */

import type { Clock } from "./clock.ts";
import { addressText, type ServerSettings } from "./config/settings.ts";
import type { Log } from "./log.ts";
import { openDurableStore } from "./store/durable-store.ts";
import { createMemoryStore } from "./store/memory-store.ts";
import type { Store } from "./store/store.ts";

export interface OpenStoreOptions {
  readonly settings: ServerSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes up what can be read of a data folder that is damaged. */
  readonly acceptLoss: boolean;
  /** Called when nothing can be kept any more; the message says why. */
  readonly onFatal: (message: string) => void;
}

const MICROS = 1_000;

/** Rejects with a `StoreError` if the data folder cannot be taken up. */
export async function openStore({ settings, clock, log, acceptLoss, onFatal }: OpenStoreOptions): Promise<Store> {
  const { store, listeners } = settings;
  if (store === undefined) return createMemoryStore();
  const serves = `gRPC on ${addressText(listeners.grpc)}`;
  const epoch = Math.floor(clock.wallTime(0) * MICROS);
  const opened = await openDurableStore({ ...store, serves, clock, log, epoch, acceptLoss, onFatal });
  const { limiters, boards } = opened.found;
  log.info(
    { event: "store-taken-up", folder: store.folder, leases: limiters.leases.length, cards: boards.cards.length },
    "the data folder is taken up",
  );
  if (opened.incompleteFor > 0) {
    log.warn(
      { event: "learning", seconds: opened.incompleteFor / 1e6 },
      "some leases from before the restart may be unknown: no new ones are granted until the longest ttl has passed; " +
        "known ones can be resumed",
    );
  }
  return opened;
}
