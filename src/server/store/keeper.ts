/**
 * Gathers changes for the thread that writes while that is at work, so that changes that come together are kept
 * together, by one transaction and one wait for the disk.
 */

import type { Durability, RowChange } from "./row.ts";

export interface Writer {
  /** Resolves when the changes are kept; rejects with a `WriteError` if none of them is. */
  commit(changes: readonly RowChange[], durability: Durability): Promise<void>;
}

export class WriteError extends Error {
  override readonly name = "WriteError";
  /** There was no room: it may be tried again. */
  readonly full: boolean;

  constructor(message: string, full: boolean) {
    super(message);
    this.full = full;
  }
}

export interface Keeper {
  /** Resolves when these changes, and all earlier ones, are kept; never, if the keeper is closed before. */
  keep(changes: readonly RowChange[], durability: Durability): Promise<void>;
  /** Resolves when nothing is left to keep, or what is left cannot be kept now; nothing is tried again. */
  close(): Promise<void>;
}

export interface KeeperOptions {
  readonly writer: Writer;
  /** Resolves when this turn of the event loop has made all its changes. */
  readonly endOfTurn: () => Promise<void>;
  /** Calls back a while later. */
  readonly later: (callback: () => void) => void;
  /** Called when changes cannot be kept for now, and when they can again; a lasting error goes to `onFatal`. */
  readonly onHealth: (problem: WriteError | undefined) => void;
  readonly onFatal: (problem: WriteError) => void;
}

interface Batch {
  readonly changes: Map<string, RowChange>;
  durability: Durability;
  /** The calls that wait for it, in order. */
  readonly waiting: (() => void)[];
}

/**
 * Rows of one commit, about: what is handed over to the thread is copied in one go. The changes of one step are never
 * split, however many they are, and neither are those that wait for room.
 */
const ROWS_A_COMMIT = 2_000;

export function createKeeper({ writer, endOfTurn, later, onHealth, onFatal }: KeeperOptions): Keeper {
  /** In the order in which they are written. The last is added to until it is full or its turn comes. */
  const batches: Batch[] = [];
  let writing: Promise<void> | undefined;
  let failing = false;
  let closed = false;
  let retry = () => {};

  async function write(): Promise<void> {
    while (batches.length > 0) {
      // One commit for all changes of the turn: it costs as much for one row as for many.
      await endOfTurn();
      const batch = batches.shift() as Batch;
      try {
        await writer.commit([...batch.changes.values()], batch.durability);
      } catch (error) {
        const problem = error as WriteError;
        putBack(batch);
        if (!problem.full) {
          onFatal(problem);
          return;
        }
        if (!failing) onHealth(problem);
        failing = true;
        if (closed) return;
        await new Promise<void>((resolve) => {
          retry = resolve;
          later(resolve);
        });
        continue;
      }
      if (failing) onHealth(undefined);
      failing = false;
      for (const resolve of batch.waiting) resolve();
    }
    writing = undefined;
  }

  /**
   * Merges a batch that failed for want of room with all that was gathered since into one commit, however large: the
   * rows that are removed make room for those that are added.
   */
  function putBack(batch: Batch): void {
    for (const newer of batches.splice(0)) {
      for (const change of newer.changes.values()) batch.changes.set(change.key, change);
      if (newer.durability === "disk") batch.durability = "disk";
      for (const resolve of newer.waiting) batch.waiting.push(resolve);
    }
    batches.push(batch);
  }

  /** Returns the batch that takes new changes. */
  function gathering(): Batch {
    const last = batches.at(-1);
    if (last !== undefined && (failing || last.changes.size < ROWS_A_COMMIT)) return last;
    const batch = createBatch();
    batches.push(batch);
    return batch;
  }

  return {
    keep(changes, durability) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (closed) return promise;
      const batch = gathering();
      for (const change of changes) batch.changes.set(change.key, change);
      if (durability === "disk") batch.durability = "disk";
      batch.waiting.push(resolve);
      writing ??= write();
      return promise;
    },
    async close() {
      closed = true;
      retry();
      await writing;
    },
  };
}

function createBatch(): Batch {
  return { changes: new Map(), durability: "process", waiting: [] };
}
