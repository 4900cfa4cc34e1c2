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

export class Holders {
  /** The oldest first. */
  #groups: Group[] = [];

  add(grantedAt: number, permits: number): void {
    const last = this.#groups.at(-1);
    if (last !== undefined && grantedAt - last.from <= RESOLUTION) {
      const group = this.#groupOf(grantedAt);
      group.to = Math.max(group.to, grantedAt);
      group.permits += permits;
      return;
    }
    if (this.#groups.length >= MAX_GROUPS) this.#join(grantedAt);
    this.#groups.push({ from: grantedAt, to: grantedAt, permits });
  }

  remove(grantedAt: number, permits: number): void {
    const group = this.#groupOf(grantedAt);
    group.permits -= permits;
    if (group.permits > 0) return;
    const index = this.#groups.indexOf(group);
    this.#groups.splice(index, 1);
  }

  /** The groups, the oldest first; the age of all in one is counted from its last grant. */
  get groups(): readonly Readonly<Group>[] {
    return this.#groups;
  }

  /** The group that a grant belongs to: the last that began no later, or the first. */
  #groupOf(grantedAt: number): Group {
    let index = this.#groups.length - 1;
    while (index > 0 && (this.#groups[index] as Group).from > grantedAt) index -= 1;
    return this.#groups[index] as Group;
  }

  /** Joins neighbours that are old enough for it; ages to a year then need no more than 110 groups. */
  #join(now: number): void {
    const joined: Group[] = [];
    for (const group of this.#groups) {
      const last = joined.at(-1);
      if (last !== undefined && group.to - last.from <= (now - group.to) * WIDTH) {
        last.to = group.to;
        last.permits += group.permits;
      } else {
        joined.push(group);
      }
    }
    this.#groups = joined;
  }
}
