/** All limiters at one moment: who needs a person, the sums, and the order in which they are shown. */

import type { Limiter } from "../../client/api/limiter.ts";
import { TROUBLES, type Trouble, troubleOf } from "./trouble.ts";

export interface Standing {
  readonly name: string;
  readonly limiter: Limiter;
  readonly trouble: Trouble;
  readonly needsAttention: boolean;
  /** What holds its queue back, in a word or two; empty: nothing waits. */
  readonly heldBackBy: string;
  /** ms that the oldest waiter has waited by now; 0: none waits. */
  readonly oldestWait: number;
}

export interface Census {
  readonly standings: readonly Standing[];
  readonly counts: Readonly<Record<Trouble, number>>;
  readonly needing: number;
  readonly waiting: number;
  readonly oldestWait: number;
  /** A minute. */
  readonly refused: number;
  readonly holding: number;
}

interface Known {
  readonly limiter: Limiter;
  readonly at: number;
}

export function takeCensus(known: Iterable<Known>, now: number): Census {
  const standings: Standing[] = [];
  const counts = Object.fromEntries(TROUBLES.map((trouble) => [trouble, 0])) as Record<Trouble, number>;
  let [needing, waiting, oldestWait, refused, holding] = [0, 0, 0, 0, 0];
  for (const entry of known) {
    const standing = standingOf(entry, now);
    const { status } = entry.limiter;
    standings.push(standing);
    counts[standing.trouble] += 1;
    if (standing.needsAttention) needing += 1;
    waiting += status.waiters;
    oldestWait = Math.max(oldestWait, standing.oldestWait);
    refused += status.refusalRate * 60;
    holding += status.leases;
  }
  return { standings, counts, needing, waiting, oldestWait, refused, holding };
}

export function standingOf({ limiter, at }: Known, now: number): Standing {
  const age = Math.max(0, now - at);
  const { oldestWaitMs } = limiter.status;
  return {
    name: limiter.name,
    limiter,
    ...troubleOf(limiter, age),
    oldestWait: oldestWaitMs === undefined ? 0 : oldestWaitMs + age,
  };
}

type Compare = (a: Standing, b: Standing) => number;

const byName: Compare = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const RANK = new Map(TROUBLES.map((trouble, rank) => [trouble, rank]));
const rankOf = ({ trouble }: Standing) => RANK.get(trouble) ?? TROUBLES.length;
/** A paused limiter that keeps requests waiting comes before one that keeps none. */
const byTrouble: Compare = (a, b) =>
  rankOf(a) - rankOf(b) || b.oldestWait - a.oldestWait || b.limiter.status.waiters - a.limiter.status.waiters;

/** The columns by which the overview can be sorted. */
export const COLUMNS = {
  state: byTrouble,
  name: byName,
  use: by(({ limiter: { status } }) => share(status.permitsInUse, status.permitsLimit)),
  waiting: by(({ limiter: { status } }) => status.waiters),
  oldest: by(({ oldestWait }) => oldestWait),
  granted: by(({ limiter: { status } }) => status.admissionRate),
} satisfies Readonly<Record<string, Compare>>;

export type Column = keyof typeof COLUMNS;

/** Returns the names in the order asked for: a column, `-` before it for downwards; anything else is by trouble. */
export function arrange(standings: readonly Standing[], filter: string, sort: string): readonly string[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = words.length === 0 ? [...standings] : standings.filter((standing) => matches(standing, words));
  const { column, descending } = parseSort(sort);
  const compare = COLUMNS[column];
  const sign = descending ? -1 : 1;
  shown.sort((a, b) => sign * compare(a, b) || byName(a, b));
  return shown.map(({ name }) => name);
}

export function parseSort(sort: string): { readonly column: Column; readonly descending: boolean } {
  const descending = sort.startsWith("-");
  const column = descending ? sort.slice(1) : sort;
  return Object.hasOwn(COLUMNS, column)
    ? { column: column as Column, descending }
    : { column: "state", descending: false };
}

function by(value: (standing: Standing) => number): Compare {
  return (a, b) => value(a) - value(b);
}

function share(part: number, whole: number): number {
  return whole === 0 ? -1 : part / whole;
}

function matches({ name, limiter, trouble }: Standing, words: readonly string[]): boolean {
  const text = `${name} ${limiter.description} ${trouble}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
