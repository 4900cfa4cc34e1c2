/**
 * What has changed on a board since a given change, for watchers: they keep a number, not a queue. Each card stands once,
 * where it last changed, so that a slow watcher costs nothing that grows with its slowness.
 */

/** How many cards that are gone are remembered at least: a watcher that asks for what came before needs a snapshot. */
const MIN_REMEMBERED = 1_000;

interface Entry {
  readonly id: string;
  sequence: number;
  removed: boolean;
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** The latest change of a card. */
export type CardChange = Readonly<Pick<Entry, "id" | "sequence" | "removed">>;

export class ChangeLog {
  readonly #entries = new Map<string, Entry>();
  readonly #standing = new Line();
  readonly #gone = new Line();
  /** The latest change that can no longer be sent. */
  #forgotten: number;

  /** `from`: the number of the change with which the board began; what was before is not known. */
  constructor(from: number) {
    this.#forgotten = from - 1;
  }

  /** The card has changed, in the change of this number. */
  changed(id: string, sequence: number): void {
    this.#move(id, sequence, false);
  }

  /**
   * The card is gone. As many that are gone are remembered as there are cards: a watcher that reads faster than cards go
   * has read all of a board before what went meanwhile is forgotten.
   */
  removed(id: string, sequence: number): void {
    this.#move(id, sequence, true);
    while (this.#gone.size > Math.max(MIN_REMEMBERED, this.#standing.size)) {
      const oldest = this.#gone.oldest as Entry;
      this.#gone.remove(oldest);
      this.#entries.delete(oldest.id);
      this.#forgotten = oldest.sequence;
    }
  }

  /** Whether all that has changed after the change of this number can still be sent. */
  reachesBackTo(sequence: number): boolean {
    return sequence >= this.#forgotten;
  }

  /** The cards that have changed after the change of this number, the earliest change first. */
  *after(sequence: number): IterableIterator<CardChange> {
    let standing = this.#standing.firstAfter(sequence);
    let gone = this.#gone.firstAfter(sequence);
    while (standing || gone) {
      if (gone === undefined || (standing && standing.sequence < gone.sequence)) {
        yield standing as Entry;
        standing = standing?.newer;
      } else {
        yield gone;
        gone = gone.newer;
      }
    }
  }

  #move(id: string, sequence: number, removed: boolean): void {
    const { newest } = this.#standing;
    if (newest?.id === id && !removed) {
      // One step often changes a card twice.
      newest.sequence = sequence;
      return;
    }
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { id, sequence, removed, older: undefined, newer: undefined };
      this.#entries.set(id, entry);
    } else {
      this.#lineOf(entry).remove(entry);
      entry.sequence = sequence;
      entry.removed = removed;
    }
    this.#lineOf(entry).append(entry);
  }

  #lineOf({ removed }: Entry): Line {
    return removed ? this.#gone : this.#standing;
  }
}

/** Changes in the order of their numbers; any can leave in O(1). */
class Line {
  oldest: Entry | undefined = undefined;
  newest: Entry | undefined = undefined;
  size = 0;

  append(entry: Entry): void {
    entry.older = this.newest;
    if (this.newest) this.newest.newer = entry;
    else this.oldest = entry;
    this.newest = entry;
    this.size += 1;
  }

  remove(entry: Entry): void {
    if (entry.older) entry.older.newer = entry.newer;
    else this.oldest = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    else this.newest = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
    this.size -= 1;
  }

  /** The first change after this number; looked for from both ends, since watchers are near one of them. */
  firstAfter(sequence: number): Entry | undefined {
    let old = this.oldest;
    let young = this.newest;
    while (old && young) {
      if (old.sequence > sequence) return old;
      if (young.sequence <= sequence) return young.newer;
      old = old.newer;
      young = young.older;
    }
    return undefined;
  }
}
