/**
 * Changes on their way to the thread that writes: gathered while it is at work, so that what comes together is kept together,
 * by one transaction and one wait for the disk.
 */

import type { Durability, RowChange } from "./row.ts";

export interface Writer {
  /** Resolves when they are kept; rejects with a `WriteError`, and nothing of it is kept then. */
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
  /** Resolves when these, and all that came before, are kept; never, if it is closed before. */
  keep(changes: readonly RowChange[], durability: Durability): Promise<void>;
  /** Resolves when nothing is on its way, or what is cannot be kept now; nothing is tried again. */
  close(): Promise<void>;
}

export interface KeeperOptions {
  readonly writer: Writer;
  /** Resolves when this turn of the loop has said all that it has to say. */
  readonly endOfTurn: () => Promise<void>;
  /** Calls back a while later. */
  readonly later: (callback: () => void) => void;
  /** Whether what is kept can be; an error that will not pass ends up in `onFatal`. */
  readonly onHealth: (problem: WriteError | undefined) => void;
  readonly onFatal: (problem: WriteError) => void;
}

interface Batch {
  readonly changes: Map<string, RowChange>;
  durability: Durability;
  /** What waits for it, in order. */
  readonly waiting: (() => void)[];
}

/**
 * Rows of one commit, about: what is handed over to the thread is copied in one go. What was decided in one step is never
 * parted, however much it is, and neither is what waits for room.
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
      // One commit for all that the turn says: it costs as much for one row as for many.
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
   * What failed for want of room and all that has been gathered since is one commit, however many rows that is: rows come and
   * go, and those that go make the room for those that come.
   */
  function putBack(batch: Batch): void {
    for (const newer of batches.splice(0)) {
      for (const change of newer.changes.values()) batch.changes.set(change.key, change);
      if (newer.durability === "disk") batch.durability = "disk";
      for (const resolve of newer.waiting) batch.waiting.push(resolve);
    }
    batches.push(batch);
  }

  /** Where what is to be kept now is gathered. */
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
