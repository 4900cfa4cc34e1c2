/** Says aloud, to readers of screens, which limiters have come to need an operator, and which do no more. */

import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { type Census, needy } from "../model/census.ts";

/** Named at most; more are counted. */
const MOST_NAMED = 3;

export function createAnnouncer(census: ReadonlySignal<Census>): ReadonlySignal<string> {
  const words = signal("");
  let before: ReadonlySet<string> | undefined;
  effect(() => {
    const { all } = census.value;
    if (all.length === 0) return;
    const now = new Set(needy(all));
    if (before !== undefined) {
      const come = [...now].filter((name) => !before?.has(name));
      const gone = [...before].filter((name) => !now.has(name));
      const parts = [say(come, "needs you", "need you"), say(gone, "is well again", "are well again")].filter(Boolean);
      if (parts.length > 0) words.value = parts.join(" ");
    }
    before = now;
  });
  return words;
}

function say(names: readonly string[], one: string, several: string): string {
  if (names.length === 0) return "";
  if (names.length > MOST_NAMED) return `${names.length} limiters ${several}.`;
  return `${names.join(", ")} ${names.length === 1 ? one : several}.`;
}
