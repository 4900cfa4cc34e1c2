/** Which limiters a list shows, and in which order. */

import { byTrouble, type Seen } from "../../explain/overview.ts";
import { causeWords, STATE_WORDS } from "../../explain/words.ts";

/** The orders, by the key that chooses each; those of figures begin with the largest. */
export const SORTS = {
  t: { name: "trouble", compare: byTrouble },
  n: { name: "name", compare: () => 0 },
  w: { name: "waiting", compare: most(({ limiter }) => limiter.status.waiters) },
  o: { name: "oldest", compare: most(({ standing }) => standing.oldestWaitMs ?? 0) },
  u: { name: "in use", compare: most(({ limiter: { status } }) => status.permitsInUse / (status.permitsLimit || 1)) },
  a: { name: "granted", compare: most(({ limiter }) => limiter.status.admissionRate) },
  r: { name: "refused", compare: most(({ limiter }) => limiter.status.refusalRate) },
} satisfies Record<string, Sort>;

export type SortKey = keyof typeof SORTS;

interface Sort {
  readonly name: string;
  readonly compare: (a: Seen, b: Seen) => number;
}

export function isSortKey(text: string): text is SortKey {
  return Object.hasOwn(SORTS, text);
}

/** Those that have every word of the filter in their name, state or cause, in order. */
export function arrange(all: readonly Seen[], filter: string, sort: SortKey): Seen[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const { compare } = SORTS[sort];
  return all.filter((seen) => matches(seen, words)).sort((a, b) => compare(a, b) || byName(a, b));
}

function matches({ limiter, standing }: Seen, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = `${limiter.name} ${STATE_WORDS[standing.state]} ${causeWords(standing.cause)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function most(figure: (seen: Seen) => number): (a: Seen, b: Seen) => number {
  return (a, b) => figure(b) - figure(a);
}

function byName(a: Seen, b: Seen): number {
  return a.limiter.name < b.limiter.name ? -1 : 1;
}
