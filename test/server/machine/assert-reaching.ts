/** A property of random scripts that prove little unless they have come upon certain things. */

import fc from "fast-check";
import { expect } from "vitest";

/**
 * Asserts it, and that nothing is left unreached then. What is rare may not have come up in `numRuns`, which are replayed as
 * `parameters` say: they go on for as many again at most.
 */
export function assertReaching<Ts>(
  property: fc.IProperty<Ts>,
  { numRuns, ...parameters }: fc.Parameters<Ts> & { readonly numRuns: number },
  unreached: () => readonly string[],
): void {
  fc.assert(property, { numRuns, ...parameters });
  for (let more = 0; more < 10 && unreached().length > 0; more += 1) {
    fc.assert(property, { numRuns: Math.ceil(numRuns / 10) });
  }
  expect(unreached()).toEqual([]);
}
