/** A saturated limiter delivers its rate, and never more than it promised in any window: at the engine, and over sockets. */

import { defaultBurst } from "../src/server/machine/rate.ts";
import { grantAtEngine } from "./rate/at-engine.ts";
import { deliveredShare, excessInAnyWindow, type RateLimit } from "./rate/grants.ts";
import { grantOverSockets } from "./rate/over-sockets.ts";
import { pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns } from "./support/in-turns.ts";
import { atLeast, atMost, type Figure, report } from "./support/report.ts";
import { spreadOf } from "./support/spread.ts";

/** ms. */
const DURATION = 10_000;
/** ms in which hundreds of calls arrive over sockets: only from then on are waiters always there. */
const ARRIVALS = 1_000;
const TURNS = { rounds: 3, warmUp: 0 };

interface Measured {
  readonly what: string;
  readonly rate: RateLimit;
  /** The instants of the grants, in µs. */
  readonly grant: () => Promise<readonly number[]>;
  /** µs from the first grant on, after which waiters are always there. */
  readonly saturatedFrom: number;
  /** Whether its bucket has room for all that comes in while the server is away: only then is a share promised. */
  readonly roomy: boolean;
}

function atEngine(maxRps: number, burstSize = burstOf(maxRps)): Measured {
  const rate = { maxRps, burstSize };
  return {
    what: `engine, ${nameOf(rate)}`,
    rate,
    grant: () => grantAtEngine(rate, { duration: DURATION, waiters: 200 }),
    saturatedFrom: 0,
    roomy: true,
  };
}

function burstOf(maxRps: number): number {
  return defaultBurst({ kind: "per-second", maxRps });
}

function overSockets(address: string, rate: RateLimit): Measured {
  return {
    what: `sockets, ${nameOf(rate)}`,
    rate,
    grant: () => grantOverSockets(address, limiterName(rate), { duration: ARRIVALS + DURATION, waiters: 500 }),
    saturatedFrom: ARRIVALS * 1_000,
    roomy: rate.burstSize === burstOf(rate.maxRps),
  };
}

function nameOf({ maxRps, burstSize }: RateLimit): string {
  return `${maxRps}/s, burst ${burstSize}`;
}

function limiterName({ maxRps, burstSize }: RateLimit): string {
  return `rate-${maxRps}-${burstSize}`;
}

/** What a run delivered, and by how much it exceeded its bound. */
async function measure(all: readonly Measured[]): Promise<Figure[]> {
  const excesses = new Map<string, number[]>(all.map(({ what }) => [what, []]));
  const sides = all.map(({ what, rate, grant, saturatedFrom }) => {
    const side = async () => {
      const instants = await grant();
      excesses.get(what)?.push(excessInAnyWindow(instants, rate));
      // What an idle limiter has saved up goes out at once, and is no part of its rate.
      const rest = instants.slice(rate.burstSize).filter((instant) => instant >= saturatedFrom);
      return deliveredShare(rest, rate) * 100;
    };
    return [what, side] as const;
  });
  const delivered = await inTurns(Object.fromEntries(sides), TURNS);
  return all.flatMap(({ what, roomy }) => [
    { what, unit: "%", spread: spreadOf(delivered[what] ?? []), ...(roomy && { target: atLeast(99.5) }) },
    {
      what: "— most tokens above the bound of any window, of all runs",
      unit: "",
      spread: spreadOf([Math.max(...(excesses.get(what) ?? []))]),
      target: atMost(0),
    },
  ]);
}

const inProcess = await measure([
  ...[10, 100, 1_000, 5_000, 20_000].map((maxRps) => atEngine(maxRps)),
  // Without room in the bucket, whatever comes while the thread is away is lost.
  atEngine(1_000, 1),
]);

const rates = [
  ...[10, 100, 1_000, 2_000].map((maxRps) => ({ maxRps, burstSize: burstOf(maxRps) })),
  // What less room costs: a collection of garbage takes some 25 ms.
  { maxRps: 100, burstSize: 1 },
  { maxRps: 2_000, burstSize: 20 },
];
const limiters = rates.map(
  (rate) => `{ name: ${limiterName(rate)}, max_rps: ${rate.maxRps}, burst_size: ${rate.burstSize} }`,
);
pinLoad();
await using server = await startMeasured(`limiters: [${limiters.join(", ")}]\n`);
const served = await measure(rates.map((rate) => overSockets(server.address, rate)));

report({
  name: "delivered-rate",
  figures: [...inProcess, ...served],
  notes: [
    `${DURATION / 1000} s a run, waiters always there; windows by the instants of the grants, to the µs; ${pinning()}.`,
  ],
});
