/**
 * How long the present holders of an instance have held, in bounded space: permits grouped by the instant of their grant,
 * in groups that may be wider the older they are. Adding and taking out are a comparison or two; an age read from it is at
 * most a quarter too short, and exact for a permit that is alone in its group.
 */

/** µs: grants that are no further apart share a group. */
const RESOLUTION = 250;
/** How many groups there may be before neighbours are joined. */
const MAX_GROUPS = 128;
/** Of its age, what a group may be wide. */
const WIDTH = 1 / 4;

interface Group {
  /** µs: the first grant in it. */
  readonly from: number;
  /** µs: the last. */
  to: number;
  permits: number;
}

const NONE: Group[] = [];

export class Holders {
  /** The youngest group stands in the object itself: most limiters have no other, and a grant then makes no garbage. */
  #from = Number.NEGATIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;
  #permits = 0;
  /** The others, the oldest first; none is empty. */
  #older = NONE;

  add(grantedAt: number, permits: number): void {
    if (grantedAt < this.#from) {
      this.#addOlder(grantedAt, permits);
    } else if (this.#permits === 0) {
      this.#begin(grantedAt, permits);
    } else if (grantedAt - this.#from <= RESOLUTION) {
      this.#permits += permits;
      if (grantedAt > this.#to) this.#to = grantedAt;
    } else {
      if (this.#older === NONE) this.#older = [];
      this.#older.push({ from: this.#from, to: this.#to, permits: this.#permits });
      if (this.#older.length >= MAX_GROUPS) this.#join(grantedAt);
      this.#begin(grantedAt, permits);
    }
  }

  /** Takes permits out; what was never added changes nothing: an estimate is not worth an outage. */
  remove(grantedAt: number, permits: number): void {
    if (grantedAt >= this.#from) {
      this.#permits = Math.max(0, this.#permits - permits);
      return;
    }
    const index = this.#indexOf(grantedAt);
    const group = this.#older[index];
    if (group === undefined) return;
    group.permits -= permits;
    if (group.permits <= 0) this.#older.splice(index, 1);
  }

  /** µs that the oldest group has held; 0 while there is none. */
  oldest(now: number): number {
    const to = this.#older.length > 0 ? (this.#older[0] as Group).to : this.#to;
    return this.#older.length === 0 && this.#permits === 0 ? 0 : Math.max(0, now - to);
  }

  /** When the last permits were granted, held still or not; undefined: none were. */
  get lastGrantAt(): number | undefined {
    return this.#to === Number.NEGATIVE_INFINITY ? undefined : this.#to;
  }

  /** Permits held no longer than `mean`, and all of them weighted by `mean` over their age, 1 at most. */
  weigh(now: number, mean: number): { readonly young: number; readonly pace: number } {
    const age = now - this.#to;
    let young = age <= mean ? this.#permits : 0;
    let pace = this.#permits === 0 || age <= mean ? this.#permits : (this.#permits * mean) / age;
    for (const { to, permits } of this.#older) {
      if (now - to <= mean) young += permits;
      pace += now - to <= mean ? permits : (permits * mean) / (now - to);
    }
    return { young, pace };
  }

  /** The groups, the oldest first; the age of all in one is counted from its last grant. */
  get groups(): readonly Readonly<Group>[] {
    if (this.#permits === 0) return this.#older;
    return [...this.#older, { from: this.#from, to: this.#to, permits: this.#permits }];
  }

  #begin(grantedAt: number, permits: number): void {
    this.#from = grantedAt;
    this.#to = grantedAt;
    this.#permits = permits;
  }

  /** A grant from before those that are known, as a restart may bring them. */
  #addOlder(grantedAt: number, permits: number): void {
    const index = this.#indexOf(grantedAt);
    const group = this.#older[index];
    if (group === undefined || group.from > grantedAt) {
      this.#older = this.#older.toSpliced(Math.max(0, index), 0, { from: grantedAt, to: grantedAt, permits });
      return;
    }
    group.to = Math.max(group.to, grantedAt);
    group.permits += permits;
  }

  /** Where the group of a grant stands among the older ones: the last that began no later, or the first. */
  #indexOf(grantedAt: number): number {
    let index = this.#older.length - 1;
    while (index > 0 && (this.#older[index] as Group).from > grantedAt) index -= 1;
    return index;
  }

  /** Joins neighbours that are old enough for it; ages to a year then need no more than 110 groups. */
  #join(now: number): void {
    const joined: Group[] = [];
    for (const group of this.#older) {
      const last = joined.at(-1);
      if (last !== undefined && group.to - last.from <= (now - group.to) * WIDTH) {
        last.to = group.to;
        last.permits += group.permits;
      } else {
        joined.push(group);
      }
    }
    this.#older = joined;
  }
}
