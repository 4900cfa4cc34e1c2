/**
 * All who wait, by id and in the order of their arrival.
 *
 * They are kept in small maps, each for a stretch of arrivals. Most come at the one end and leave at the other, so that
 * only the two maps there are touched, however many wait; one large map costs several times as much with every change (it
 * leaves the caches, and is copied as it grows). In exchange, whoever has nothing but an id asks every stretch.
 */

/** What a roster knows of its members, which carry it themselves. */
export interface Member<T> {
  readonly id: string;
  /** The part of the roster that it stands in; undefined: it is on none. */
  stretch: Map<string, T> | undefined;
}

/** Members of one stretch at most. */
export const STRETCH = 4_096;

export class Roster<T extends Member<T>> {
  /** The oldest first; never empty. None but the youngest is empty. */
  #stretches: Map<string, T>[] = [new Map()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many maps there are: what it costs to find somebody by id. */
  get stretches(): number {
    return this.#stretches.length;
  }

  /** Puts somebody at the end. */
  add(member: T): void {
    let youngest = this.#youngest;
    if (youngest.size >= STRETCH) {
      youngest = new Map();
      this.#stretches.push(youngest);
    }
    youngest.set(member.id, member);
    member.stretch = youngest;
    this.#size += 1;
  }

  /** Takes somebody off, if they are on. */
  delete(member: T): void {
    const { stretch } = member;
    if (stretch === undefined) return;
    stretch.delete(member.id);
    member.stretch = undefined;
    this.#size -= 1;
    if (stretch.size === 0 && stretch !== this.#youngest) this.#stretches.splice(this.#stretches.indexOf(stretch), 1);
    const sparse = this.#size < (this.#stretches.length * STRETCH) / 4;
    if (sparse && this.#stretches.length > 2) this.#closeRanks();
  }

  has(member: T): boolean {
    return member.stretch !== undefined;
  }

  get(id: string): T | undefined {
    for (let i = this.#stretches.length - 1; i >= 0; i--) {
      const member = this.#stretches[i]?.get(id);
      if (member !== undefined) return member;
    }
    return undefined;
  }

  /** All, in the order in which they came; nobody may come or go meanwhile. */
  *values(): IterableIterator<T> {
    for (const stretch of this.#stretches) yield* stretch.values();
  }

  get #youngest(): Map<string, T> {
    return this.#stretches.at(-1) as Map<string, T>;
  }

  /** A few who stay for long would keep many stretches open, each to be asked. */
  #closeRanks(): void {
    const members = [...this.values()];
    this.#stretches = [new Map()];
    this.#size = 0;
    for (const member of members) this.add(member);
  }
}
