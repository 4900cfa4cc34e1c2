/** Says aloud, to readers of screens, which limiters have come into trouble and out of it. */

import { effect, type ReadonlySignal, signal } from "@preact/signals";
import type { Census } from "../model/census.ts";

/** Named at most; more are counted. */
const MOST_NAMED = 3;

export function createAnnouncer(census: ReadonlySignal<Census>): ReadonlySignal<string> {
  const words = signal("");
  let stuck: ReadonlySet<string> | undefined;
  effect(() => {
    const { standings } = census.value;
    if (standings.length === 0) return;
    const now = new Set(standings.filter(({ trouble }) => trouble === "stuck").map(({ name }) => name));
    if (stuck !== undefined) {
      const come = [...now].filter((name) => !stuck?.has(name));
      const gone = [...stuck].filter((name) => !now.has(name));
      const parts = [say(come, "stuck"), say(gone, "no longer stuck")].filter((part) => part !== "");
      if (parts.length > 0) words.value = parts.join(" ");
    }
    stuck = now;
  });
  return words;
}

function say(names: readonly string[], what: string): string {
  if (names.length === 0) return "";
  if (names.length > MOST_NAMED) return `${names.length} limiters are ${what}.`;
  return `${names.join(", ")} ${names.length === 1 ? "is" : "are"} ${what}.`;
}
