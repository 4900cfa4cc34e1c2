/** The lease protocol as a model: every state that it can come to is looked at, and each bug that is put into it is found. */

import { afterAll, describe, expect, type TestContext, test } from "vitest";
import { type Model, requireSpin, type Search, search, type Verdict } from "./support/model/spin.ts";
import {
  BUGS,
  NIGHTLY_WORLDS,
  SESSION,
  SESSION_BUGS,
  SMALL,
  SMALL_WORLDS,
  type Switches,
  WHOLE,
  type World,
} from "./support/model/variants.ts";
import { openRecord } from "./support/record.ts";
import { tier } from "./support/tier.ts";

type Room = Omit<Search, "model" | "switches" | "signal">;

const LEASE: Model = "lease.pml";

const SMALL_ROOM: Room = { tableBits: 20, maxMegabytes: 400 };
/** For 1.7 million states. */
const ROOM: Room = { tableBits: 23, maxMegabytes: 1_000 };
/** For 20 million. */
const NIGHTLY_ROOM: Room = { tableBits: 25, maxMegabytes: 4_000 };
const TIMEOUT = 300_000;

const record = openRecord("model-check");
let found = 0;

interface Looked {
  readonly model?: Model;
  readonly switches: Switches;
}

async function expectSound(looked: Looked, room: Room, { signal }: TestContext): Promise<Verdict> {
  const verdict = await search({ model: LEASE, ...looked, ...room, signal });
  expect(verdict.errors, `${verdict.trail}\n${verdict.said}`).toBe(0);
  expect(verdict.complete, verdict.said).toBe(true);
  return verdict;
}

async function checkWhole(
  { name, ...looked }: World & { readonly model?: Model },
  room: Room,
  context: TestContext,
): Promise<void> {
  requireSpin(context);
  const { states, depth, unreached } = await expectSound(looked, room, context);
  // Nothing stands in the model in vain.
  expect(unreached).toEqual([]);
  record({ figure: `${name}: all states`, value: states, unit: "states" });
  record({ figure: `${name}: the farthest of them`, value: depth, unit: "steps" });
}

/** What the shortest way to an error ends with. */
async function findFault({ model = LEASE, switches }: Looked, { signal }: TestContext): Promise<string | undefined> {
  const verdict = await search({ model, switches, ...SMALL_ROOM, signal });
  expect(verdict.errors, verdict.said).toBe(1);
  return verdict.trail.split("\n").at(-1);
}

// The longest goes first, and the others beside it.
describe.concurrent("the lease protocol", { timeout: TIMEOUT, retry: 0 }, () => {
  afterAll(() => {
    if (found === 0) return;
    record({ figure: "found", value: found, unit: `of ${BUGS.length + SESSION_BUGS.length} bugs in the model` });
  });

  test(`${WHOLE.name}: in no order is anything broken`, (context) => checkWhole(WHOLE, ROOM, context));

  test.for(SMALL_WORLDS)("$name: in no order is anything broken", async ({ switches }, context) => {
    requireSpin(context);
    await expectSound({ switches }, SMALL_ROOM, context);
  });

  test.for(BUGS)("control: $name ($breaks)", async ({ switches, breaks }, context) => {
    requireSpin(context);
    expect(await findFault({ switches: { ...SMALL, ...switches, CHECKS: breaks } }, context)).toBe(`broken: ${breaks}`);
    found += 1;
  });

  test(`${SESSION.name}: in no order is anything broken`, (context) =>
    checkWhole({ ...SESSION, model: "session.pml" }, SMALL_ROOM, context));

  test.for(SESSION_BUGS)("control: $name ($breaks)", async ({ switches, breaks }, context) => {
    requireSpin(context);
    const looked: Looked = { model: "session.pml", switches: { ...switches, CHECKS: breaks } };
    expect(await findFault(looked, context)).toBe(`broken: ${breaks}`);
    found += 1;
  });

  test("control: a search that has no room for all states does not count", async (context) => {
    requireSpin(context);
    const verdict = await search({
      model: LEASE,
      switches: {},
      tableBits: 16,
      maxMegabytes: 20,
      signal: context.signal,
    });
    expect(verdict).toMatchObject({ errors: 0, complete: false });
  });
});

if (tier === "N") {
  // One at a time: each may take all the room that there is.
  describe("the lease protocol, by night", { timeout: 12 * TIMEOUT, retry: 0 }, () => {
    test.for(NIGHTLY_WORLDS)("$name: in no order is anything broken", (world, context) =>
      checkWhole(world, NIGHTLY_ROOM, context),
    );
  });
}
