/** A durable store over the fake thread. */

import type { BoardChange } from "../../../../src/server/machine/board/command.ts";
import type { Change } from "../../../../src/server/machine/limiter/command.ts";
import { type DurableStoreOptions, openDurableStore } from "../../../../src/server/store/durable-store.ts";
import type { Store } from "../../../../src/server/store/store.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { createMemoryLog } from "../../transport/support/memory-log.ts";
import type { FakeFolder } from "./fake-worker.ts";

export const EPOCH = 1_700_000_000_000_000;

export async function open({ openWorker }: FakeFolder, options: Partial<DurableStoreOptions> = {}) {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const fatal: string[] = [];
  const store = await openDurableStore({
    ...{
      clock,
      log,
      epoch: EPOCH,
      folder: "/data",
      serves: "gRPC on a:1",
      leases: "process",
      maxMegabytes: 64,
      acceptLoss: false,
    },
    onFatal: (message) => fatal.push(message),
    openWorker,
    ...options,
  });
  return { store, clock, log, fatal };
}

/** Resolves when all that promises have to do is done. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export const keysOf = ({ rows }: FakeFolder, kind: string) =>
  [...rows.keys()].filter((key) => key.startsWith(`${kind}:`));
export const lastOf = ({ commits }: FakeFolder) => commits.at(-1);

/** Keeps changes; resolves with how safely, and whether the engine has to wait for it. */
export async function kept(folder: FakeFolder, store: Store, changes: readonly (Change | BoardChange)[]) {
  const before = folder.commits.length;
  const awaited = store.keep(changes) !== undefined;
  await turn();
  const committed = folder.commits.length > before;
  return { awaited, durability: committed ? lastOf(folder)?.durability : "none" };
}
