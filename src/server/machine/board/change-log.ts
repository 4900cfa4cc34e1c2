/**
 * What has changed on a board since a given change, for watchers: they keep a number, not a queue. Each card stands once,
 * where it last changed, so that a slow watcher costs nothing that grows with its slowness.
 */

/** How many cards that are gone are remembered: who asks for what came before needs a snapshot. */
const MAX_REMOVED = 1_000;

interface Entry {
  readonly id: string;
  sequence: number;
  removed: boolean;
  older: Entry | undefined;
  newer: Entry | undefined;
}

export interface Delta {
  /** In the order of their last change. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export class ChangeLog {
  readonly #entries = new Map<string, Entry>();
  readonly #removed = new Set<Entry>();
  #newest: Entry | undefined = undefined;
  /** The latest change that can no longer be told. */
  #forgotten: number;

  /** `from`: the number of the change with which the board began; what was before is not known. */
  constructor(from: number) {
    this.#forgotten = from - 1;
  }

  /** The card has changed, in the change of this number. */
  changed(id: string, sequence: number): void {
    this.#move(id, sequence, false);
  }

  /** The card is gone. */
  removed(id: string, sequence: number): void {
    this.#removed.add(this.#move(id, sequence, true));
    if (this.#removed.size <= MAX_REMOVED) return;
    const [oldest] = this.#removed;
    if (oldest === undefined) return;
    this.#unlink(oldest);
    this.#removed.delete(oldest);
    this.#entries.delete(oldest.id);
    this.#forgotten = oldest.sequence;
  }

  /** What has changed after the change of this number; undefined where that is no longer known, or is more than `atMost`. */
  since(sequence: number, atMost: number): Delta | undefined {
    if (sequence < this.#forgotten) return undefined;
    const changed: string[] = [];
    const removed: string[] = [];
    for (let entry = this.#newest; entry && entry.sequence > sequence; entry = entry.older) {
      if (changed.length + removed.length === atMost) return undefined;
      (entry.removed ? removed : changed).push(entry.id);
    }
    return { changed: changed.reverse(), removed: removed.reverse() };
  }

  /** What is known of each card, the latest change first. */
  *entries(): IterableIterator<Readonly<Pick<Entry, "id" | "sequence" | "removed">>> {
    for (let entry = this.#newest; entry; entry = entry.older) yield entry;
  }

  #move(id: string, sequence: number, removed: boolean): Entry {
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { id, sequence, removed, older: undefined, newer: undefined };
      this.#entries.set(id, entry);
    } else {
      this.#unlink(entry);
      this.#removed.delete(entry);
      entry.sequence = sequence;
      entry.removed = removed;
    }
    entry.older = this.#newest;
    if (this.#newest) this.#newest.newer = entry;
    this.#newest = entry;
    return entry;
  }

  #unlink(entry: Entry): void {
    if (entry.older) entry.older.newer = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    else this.#newest = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}
