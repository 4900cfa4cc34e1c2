/**
 * All waiters, by id and in the order of their arrival.
 *
 * They sit in small tables, each for a stretch of arrivals. Most come at the one end and leave at the other, so that only
 * the two tables there are touched, however many wait; one large table costs several times as much with every change (it
 * leaves the caches, and is copied as it grows). In exchange, a look-up by nothing but an id asks every stretch.
 */

/** What the index knows of its members, which carry it themselves. */
export interface Member<T> {
  readonly id: string;
  /** The stretch that it sits in; undefined: it is in no index. */
  stretch: Stretch<T> | undefined;
  /** Its place there. */
  seat: number;
}

/** A stretch of arrivals. */
interface Stretch<T> {
  /** In the order of arrival; undefined: its member has left. */
  readonly seats: (T | undefined)[];
  /**
   * No member is taken out of it: its leaving would touch memory that was not touched since it came. It goes with the
   * stretch.
   */
  readonly seatOf: Map<string, number>;
  /** How many have not left. */
  present: number;
}

/** Seats of one stretch. */
export const STRETCH = 4_096;
/** Seats for each member, in the mean, at which ranks are closed; as if there were a few members more. */
const SPARSEST = 4;
const FEW = 4;

export class ArrivalIndex<T extends Member<T>> {
  /** The oldest first; never empty. All but the youngest are full of seats, and have a member left on them. */
  #stretches: Stretch<T>[] = [createStretch()];
  #size = 0;
  /** Those that were left included. */
  #seats = 0;

  get size(): number {
    return this.#size;
  }

  /** How many stretches there are: what it costs to find a waiter by id. */
  get stretches(): number {
    return this.#stretches.length;
  }

  /** Puts a waiter at the end. */
  add(member: T): void {
    let youngest = this.#youngest;
    if (youngest.seats.length === STRETCH) {
      if (youngest.present === 0) this.#drop(youngest);
      youngest = createStretch();
      this.#stretches.push(youngest);
    }
    member.stretch = youngest;
    member.seat = youngest.seats.length;
    youngest.seats.push(member);
    youngest.seatOf.set(member.id, member.seat);
    youngest.present += 1;
    this.#seats += 1;
    this.#size += 1;
  }

  /** Takes a waiter off, if it is on. */
  delete(member: T): void {
    const { stretch } = member;
    if (stretch === undefined) return;
    stretch.seats[member.seat] = undefined;
    stretch.present -= 1;
    member.stretch = undefined;
    this.#size -= 1;
    if (stretch.present === 0 && stretch !== this.#youngest) this.#drop(stretch);
    if (this.#seats > SPARSEST * (this.#size + FEW)) this.#closeRanks();
  }

  has(member: T): boolean {
    return member.stretch !== undefined;
  }

  get(id: string): T | undefined {
    for (let i = this.#stretches.length - 1; i >= 0; i--) {
      const { seats, seatOf } = this.#stretches[i] as Stretch<T>;
      const seat = seatOf.get(id);
      if (seat !== undefined) return seats[seat];
    }
    return undefined;
  }

  /** All, in the order of arrival; none may come or go meanwhile. */
  *values(): IterableIterator<T> {
    for (const { seats } of this.#stretches) {
      for (const member of seats) if (member !== undefined) yield member;
    }
  }

  get #youngest(): Stretch<T> {
    return this.#stretches.at(-1) as Stretch<T>;
  }

  #drop(stretch: Stretch<T>): void {
    this.#stretches.splice(this.#stretches.indexOf(stretch), 1);
    this.#seats -= stretch.seats.length;
  }

  /** A few members that stay for long would keep many seats, all to be looked at, and stretches, each to be asked. */
  #closeRanks(): void {
    const members = [...this.values()];
    this.#stretches = [createStretch()];
    this.#size = 0;
    this.#seats = 0;
    for (const member of members) this.add(member);
  }
}

function createStretch<T>(): Stretch<T> {
  return { seats: [], seatOf: new Map(), present: 0 };
}
