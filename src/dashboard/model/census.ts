/** All limiters at one moment, and the order in which they are shown. */

import type { Limiter } from "../../client/api/limiter.ts";
import { byName, byTrouble, needsOperator, type Seen, type Totals, totalsOf } from "../../explain/overview.ts";
import { standingOf } from "../../explain/standing.ts";

export interface Census {
  readonly all: readonly Seen[];
  readonly totals: Totals;
  readonly full: number;
}

/** A limiter, and when the page heard of it: ms since 1970. */
interface Heard {
  readonly limiter: Limiter;
  readonly at: number;
}

export function takeCensus(heard: Iterable<Heard>, now: number): Census {
  const all = Array.from(heard, (one) => seenAt(one, now));
  return { all, totals: totalsOf(all), full: all.filter(({ standing }) => standing.state === "full").length };
}

/** A limiter as it stands by now: what waits has waited longer since the page heard of it. */
export function seenAt({ limiter, at }: Heard, now: number): Seen {
  return { limiter, standing: standingOf(limiter, { elapsed: Math.max(0, now - at) }) };
}

type Compare = (a: Seen, b: Seen) => number;

/** The columns by which the overview can be sorted. */
const COLUMNS = {
  state: byTrouble,
  name: byName,
  use: by(({ limiter: { status } }) => share(status.permitsInUse, status.permitsLimit)),
  waiting: by(({ limiter: { status } }) => status.waiters),
  oldest: by(({ standing }) => standing.oldestWaitMs ?? 0),
  granted: by(({ limiter: { status } }) => status.admissionRate),
} satisfies Readonly<Record<string, Compare>>;

export type Column = keyof typeof COLUMNS;

export interface Sort {
  readonly column: Column;
  readonly descending: boolean;
}

/** Reads a column, `-` before it for downwards; anything else is by trouble. */
export function parseSort(sort: string): Sort {
  const descending = sort.startsWith("-");
  const column = descending ? sort.slice(1) : sort;
  return Object.hasOwn(COLUMNS, column)
    ? { column: column as Column, descending }
    : { column: "state", descending: false };
}

/** Returns the names of those that have all words of the filter, in the order asked for. */
export function arrange(all: readonly Seen[], filter: string, sort: string): readonly string[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((seen) => matches(seen, words));
  const { column, descending } = parseSort(sort);
  const compare = COLUMNS[column];
  const sign = descending ? -1 : 1;
  shown.sort((a, b) => sign * compare(a, b) || byName(a, b));
  return shown.map(({ limiter }) => limiter.name);
}

/** The names of those that need an operator. */
export function needy(all: readonly Seen[]): readonly string[] {
  return all.filter(needsOperator).map(({ limiter }) => limiter.name);
}

function by(value: (seen: Seen) => number): Compare {
  return (a, b) => value(a) - value(b);
}

function share(part: number, whole: number): number {
  return whole === 0 ? -1 : part / whole;
}

function matches({ limiter, standing }: Seen, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = `${limiter.name} ${limiter.description} ${standing.state}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
