/**
 * One process, no server: this package's `createRateLimiter` and the machine below it against the libraries that a user would otherwise
 * pick, on the same work.
 */

import { LIBRARIES, type Library } from "./in-process/libraries.ts";
import { contended, uncontended } from "./in-process/sides.ts";
import { tryAndRelease } from "./machine/sides.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const TURNS = { rounds: 9, warmUp: 2 };
const OURS = "createRateLimiter";

function sidesOf(side: (library: Library) => Side | undefined): Record<string, Side> {
  const sides: Record<string, Side> = {};
  for (const library of LIBRARIES) {
    const made = side(library);
    if (made !== undefined) sides[library.name] = made;
  }
  return sides;
}

/** Each library's cost as a share of ours: above 1, ours is ahead. */
function figuresOf(what: string, rounds: Readonly<Record<string, readonly number[]>>): Figure[] {
  const ours = rounds[OURS] ?? [];
  return Object.entries(rounds).flatMap(([name, theirs]): Figure[] => {
    const own: Figure = { what: `${what}: ${name}`, unit: "ns", spread: spreadOf(theirs) };
    if (name === OURS) return [own];
    const keepsQueue = LIBRARIES.some((library) => library.name === name && library.keepsQueue);
    const ratio = { what: `${what}: ${OURS}, to ${name}`, unit: "×", spread: ratioOf(ours, theirs) };
    // A library without a queue does less work, and is shown for orientation.
    return [own, keepsQueue ? { ...ratio, target: atMost(1) } : ratio];
  });
}

const machine = await inTurns({ machine: tryAndRelease() }, TURNS);
const free = await inTurns(sidesOf(uncontended), TURNS);
const queued = await inTurns(sidesOf(contended), TURNS);

report({
  name: "in-process",
  figures: [
    { what: "TryAcquire + Release at the machine", unit: "ns", spread: spreadOf(machine.machine), target: atMost(500) },
    ...figuresOf("a free permit is taken and given back", free),
    ...figuresOf("a permit is waited for in a queue of 1,000, and given back", queued),
  ],
  notes: [
    "CPU time of the one thread, in many short rounds. Each library does the same in the way that it is made for: " +
      "those that only run functions are given one that does nothing.",
    "limiter and rate-limiter-flexible know rates alone: they take a token and give nothing back, and keep no queue.",
  ],
});
