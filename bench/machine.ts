/** The machine alone: what a decision costs, and what it costs with many waiters, keys or leases about. */

import {
  acquireAndRelease,
  amongLeases,
  handOn,
  LOOK_UPS,
  lookUp,
  onKeys,
  SHARE,
  surveyQueue,
  tryAndRelease,
  turnOver,
} from "./machine/sides.ts";
import { inTurns } from "./support/in-turns.ts";
import { atMost, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const MANY = 100_000;
const FEW = 100;
/** Five rounds of warm-up end more leases than the machine remembers: from then on it forgets as many. */
const TURNS = { rounds: 15, warmUp: 5 };

const pair = await inTurns({ tries: tryAndRelease(), streams: acquireAndRelease() }, TURNS);
const waiters = await inTurns({ few: handOn(FEW), many: handOn(MANY) }, TURNS);
const known = await inTurns(
  { few: handOn(FEW, { requestIds: true }), many: handOn(MANY, { requestIds: true }) },
  TURNS,
);
const idleKeys = await inTurns(
  {
    one: onKeys({ count: 1, use: "idle", leases: 1, which: "one" }),
    hot: onKeys({ count: MANY, use: "idle", leases: MANY, which: "one" }),
    any: onKeys({ count: MANY, use: "idle", leases: MANY, which: "any" }),
  },
  TURNS,
);
const heldKeys = await inTurns(
  {
    one: onKeys({ count: 1, use: "held", leases: MANY, which: "one" }),
    hot: onKeys({ count: MANY, use: "held", leases: MANY, which: "one" }),
    any: onKeys({ count: MANY, use: "held", leases: MANY, which: "any" }),
  },
  TURNS,
);
const map = await inTurns({ one: lookUp(1), any: lookUp(MANY) }, TURNS);
const leases = await inTurns({ few: amongLeases(FEW), many: amongLeases(MANY) }, TURNS);
const turnOvers = await inTurns({ few: turnOver(FEW), many: turnOver(MANY) }, TURNS);
const surveys = await inTurns({ many: surveyQueue(MANY) }, TURNS);

report({
  name: "machine",
  figures: [
    { what: "TryAcquire + Release", unit: "ns", spread: spreadOf(pair.tries), target: atMost(1000) },
    { what: "Acquire + Release", unit: "ns", spread: spreadOf(pair.streams), target: atMost(1000) },
    { what: "Release, grant of the head, Acquire that waits; 100 waiters", unit: "ns", spread: spreadOf(waiters.few) },
    { what: "— 100,000 waiters to 100", unit: "×", spread: ratioOf(waiters.many, waiters.few), target: atMost(1.3) },
    { what: "the same with a request id each", unit: "ns", spread: spreadOf(known.few) },
    { what: "— 100,000 waiters to 100", unit: "×", spread: ratioOf(known.many, known.few) },
    { what: "TryAcquire + Release on the one key", unit: "ns", spread: spreadOf(idleKeys.one) },
    { what: "— a hot key of 100,000", unit: "×", spread: ratioOf(idleKeys.hot, idleKeys.one), target: atMost(1.3) },
    { what: "— any of 100,000", unit: "×", spread: ratioOf(idleKeys.any, idleKeys.one), target: atMost(3) },
    { what: "the same with 100,000 leases on the one key", unit: "ns", spread: spreadOf(heldKeys.one) },
    { what: "— a hot key of 100,000", unit: "×", spread: ratioOf(heldKeys.hot, heldKeys.one), target: atMost(1.3) },
    { what: "— any of 100,000", unit: "×", spread: ratioOf(heldKeys.any, heldKeys.one), target: atMost(3) },
    {
      what: "a bare Map's look-up of the one key",
      unit: "ns",
      spread: spreadOf(map.one.map((nanos) => nanos / LOOK_UPS)),
    },
    { what: "— any of 100,000", unit: "×", spread: ratioOf(map.any, map.one) },
    { what: "TryAcquire + Release among 100 leases", unit: "ns", spread: spreadOf(leases.few) },
    { what: "— among 100,000", unit: "×", spread: ratioOf(leases.many, leases.few) },
    { what: "TryAcquire + Release of the oldest of 100", unit: "ns", spread: spreadOf(turnOvers.few) },
    { what: "— of the oldest of 100,000", unit: "×", spread: ratioOf(turnOvers.many, turnOvers.few) },
    { what: "survey of 100,000 waiters", unit: "ms", spread: spreadOf(surveys.many.map((nanos) => nanos / 1e6)) },
  ],
  notes: [`${SHARE} operations a round; CPU time of the one thread, the survey excepted.`],
});
