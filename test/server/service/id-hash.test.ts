/** How ids of commands are spread over the places of a table. */

import { expect, test } from "vitest";
import { mixed } from "../../../src/server/machine/structures/hash.ts";
import { hashOfId } from "../../../src/server/service/session/id-hash.ts";
import { type CommandId, commandIdOf } from "../../../src/server/service/session/open-commands.ts";

const IDS = 10_000;
const PLACES = 1 << 14;

/** How many of these lie in the fullest place; of 10,000 at random, 6 or 7. */
function fullest(ids: readonly CommandId[], hash: (id: CommandId) => number): number {
  const counts = new Uint32Array(PLACES);
  for (const id of ids) counts[hash(id) & (PLACES - 1)] = (counts[hash(id) & (PLACES - 1)] ?? 0) + 1;
  return Math.max(...counts);
}

function idsOf(first: bigint, step: bigint): CommandId[] {
  return Array.from({ length: IDS }, (_, index) => commandIdOf(BigInt.asUintN(64, first + BigInt(index) * step)));
}

test.each([1n, 1n << 14n, 1n << 20n, 1n << 32n, 1n << 40n, 1n << 48n])(
  "ids %d apart lie in places of their own",
  (step) => {
    for (const first of [0n, 1n << 60n]) expect(fullest(idsOf(first, step), hashOfId)).toBeLessThan(20);
  },
);

test("control: by a hash that everybody knows ids can be chosen that all lie in one place", () => {
  const known = (id: CommandId) => mixed(Number(BigInt.asUintN(32, BigInt(id))));
  expect(fullest(idsOf(0n, 1n << 32n), known)).toBe(IDS);
});
