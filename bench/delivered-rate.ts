/** A saturated limiter delivers its rate, and never more than it promised in any window: at the engine, and over sockets. */

import { parseRate } from "../src/client/api/rate.ts";
import { createRate, defaultBurst } from "../src/server/machine/limiter/rate.ts";
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

interface Limit extends RateLimit {
  readonly text: string;
}

interface Measured {
  readonly what: string;
  readonly limit: Limit;
  /** The instants of the grants, in µs. */
  readonly grant: () => Promise<readonly number[]>;
  /** µs from the first grant on, after which waiters are always there. */
  readonly saturatedFrom: number;
  /** Whether its bucket has room for all that comes in while the server is away: only then is a share promised. */
  readonly roomy: boolean;
}

/** In the notation of the configuration; `claim`: tokens of each grant. */
function limitOf(text: string, { burst, claim = 1 }: { readonly burst?: number; readonly claim?: number } = {}): Limit {
  const { tokens, perMicros } = parseRate(text);
  const rate = createRate({ kind: "amount", tokens, per: perMicros }, burst);
  if (rate === undefined) throw new RangeError(text);
  return { text, rate, claim };
}

function atEngine(limit: Limit): Measured {
  return {
    what: `engine, ${nameOf(limit)}`,
    limit,
    grant: () => grantAtEngine(limit, { duration: DURATION, waiters: 200 }),
    saturatedFrom: 0,
    roomy: true,
  };
}

function overSockets(address: string, limit: Limit): Measured {
  return {
    what: `sockets, ${nameOf(limit)}`,
    limit,
    grant: () => grantOverSockets(address, limiterName(limit), { duration: ARRIVALS + DURATION, waiters: 500 }),
    saturatedFrom: ARRIVALS * 1_000,
    roomy: limit.rate.capacity === defaultBurst(limit.rate.stated),
  };
}

function nameOf({ text, rate, claim }: Limit): string {
  const claims = claim === 1 ? "" : `, ${claim} tokens a claim`;
  return `${text}, burst ${rate.capacity}${claims}`;
}

function limiterName({ text, rate }: Limit): string {
  return `rate-${text.replace("/", "-")}-${rate.capacity}`;
}

/** What a run delivered, and by how much it exceeded its bound. */
async function measure(all: readonly Measured[]): Promise<Figure[]> {
  const excesses = new Map<string, number[]>(all.map(({ what }) => [what, []]));
  const sides = all.map(({ what, limit, grant, saturatedFrom }) => {
    const side = async () => {
      const instants = await grant();
      excesses.get(what)?.push(excessInAnyWindow(instants, limit));
      // What an idle limiter has saved up goes out at once, and is no part of its rate.
      const rest = instants
        .slice(Math.ceil(limit.rate.capacity / limit.claim))
        .filter((instant) => instant >= saturatedFrom);
      return deliveredShare(rest, limit) * 100;
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
  ...["10/s", "100/s", "1000/s", "5000/s", "20000/s"].map((text) => atEngine(limitOf(text))),
  // The slow: a grant in two seconds. The fast: claims of many tokens, since the machine makes a million steps a second.
  atEngine(limitOf("30/m")),
  atEngine(limitOf("1000000/s", { claim: 100 })),
  atEngine(limitOf("10000000/s", { claim: 1_000 })),
  // Without room in the bucket, whatever comes while the thread is away is lost.
  atEngine(limitOf("1000/s", { burst: 1 })),
]);

const limits = [
  ...["30/m", "10/s", "100/s", "1000/s", "2000/s"].map((text) => limitOf(text)),
  // What less room costs: a collection of garbage takes some 25 ms.
  limitOf("100/s", { burst: 1 }),
  limitOf("2000/s", { burst: 20 }),
];
const limiters = limits.map(
  (limit) => `{ name: ${limiterName(limit)}, rate: ${limit.text}, burst_size: ${limit.rate.capacity} }`,
);
pinLoad();
await using server = await startMeasured(`limiters: [${limiters.join(", ")}]\n`);
const served = await measure(limits.map((limit) => overSockets(server.address, limit)));

report({
  name: "delivered-rate",
  figures: [...inProcess, ...served],
  notes: [
    `${DURATION / 1000} s a run, waiters always there; windows by the instants of the grants, to the µs; ${pinning()}.`,
  ],
});
