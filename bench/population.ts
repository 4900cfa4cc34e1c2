/** Many limiters, keys and clients: 1 to 10,000 limiters, keys that are spread or hot, 1 to 1,000 connections; server CPU for a pair of each. */

import { ONE_LIMITER, type SubjectOptions } from "./load/subjects.ts";
import { pairs } from "./load/verbs.ts";
import { pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { underLoad } from "./support/under-load.ts";

const MANY_LIMITERS = 10_000;
const IN_FLIGHT = 64;
/** ms */
const SHARE = 400;
/** Many short rounds: a pair costs 50 or 85 µs by turns, as the collector's full collections fall. */
const TURNS = { rounds: 15, warmUp: 2 };
const BASE = "1 limiter, 4 connections";

type Population = Omit<SubjectOptions, "limiter"> & { readonly limiter: string; readonly clients: number };
const ONE = { limiter: "db", ...ONE_LIMITER, clients: 4 } as const;
const POPULATIONS: Readonly<Record<string, Population>> = {
  [BASE]: ONE,
  "100 limiters": { ...ONE, limiter: "many", limiters: 100 },
  "10,000 limiters": { ...ONE, limiter: "many", limiters: MANY_LIMITERS },
  "10,000 keys, all alike": { ...ONE, limiter: "keyed", keys: 10_000 },
  "10,000 keys, nine in ten for one": { ...ONE, limiter: "keyed", keys: 10_000, spread: "hot" },
  "1 connection": { ...ONE, clients: 1 },
  "100 connections": { ...ONE, clients: 100 },
  "1,000 connections": { ...ONE, clients: 1_000 },
};

const many = Array.from({ length: MANY_LIMITERS }, (_, i) => `{ name: many-${i}, max_concurrent: 1000 }`);
const LIMITERS = [
  "{ name: db, max_concurrent: 1000 }",
  "{ name: keyed, keyed: true, max_keys: 100000, max_concurrent: 1000 }",
  ...many,
];

await using cleanup = new AsyncDisposableStack();
pinLoad();
const server = cleanup.use(await startMeasured(`limiters:\n${LIMITERS.map((one) => `- ${one}\n`).join("")}`));
const sides: Record<string, Side> = {};
for (const [name, population] of Object.entries(POPULATIONS)) {
  const work = cleanup.use(await pairs({ address: server.address, ...population }));
  // With more connections than pairs, as many pairs as connections: each has one.
  const inFlight = Math.max(IN_FLIGHT, population.clients);
  sides[name] = underLoad(server, work, { inFlight, duration: SHARE }).side;
}
const cpu = await inTurns(sides, TURNS);
const base = cpu[BASE] ?? [];
report({
  name: "population",
  figures: Object.entries(cpu).flatMap(([name, rounds]) => [
    { what: `TryAcquire + Release, ${name}: server CPU`, unit: "µs", spread: spreadOf(rounds) },
    ...(name === BASE ? [] : [{ what: `— to ${BASE}`, unit: "×", spread: ratioOf(rounds, base) }]),
  ]),
  notes: [`${IN_FLIGHT} pairs in flight, or one a connection; ${SHARE / 1000} s a round and side; ${pinning()}.`],
});
