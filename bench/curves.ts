/**
 * Throughput against latency: TryAcquire at rates that a schedule decides, whatever the server does, so that a latency counts from
 * when the call was due. This server, by unary calls and in sessions, grpc-js alone and node:http2 alone, in turns.
 */

import { answersOfToken } from "./load/answers.ts";
import { runOpen, type Work } from "./load/arrivals.ts";
import type { Latency } from "./load/latency.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { sessionTries, tryAcquires } from "./load/verbs.ts";
import { pinLoad, pinning, startBare, startMeasured } from "./servers/measured.ts";
import { type Figure, report } from "./support/report.ts";
import { writeSeries } from "./support/series.ts";
import { spreadOf } from "./support/spread.ts";

const RATES = [500, 1_000, 2_000, 4_000, 8_000, 12_000, 16_000, 24_000, 48_000, 96_000];
/** All that the distributions are shown of. */
const SHOWN_RATE = 4_000;
const ROUNDS = 3;
/** ms */
const SHARE = 800;
const WARM_UP = 200;
const CLIENTS = 8;
/** µs. A side that was this late at a rate is asked no higher one: its queue grows for as long as it is asked. */
const HOPELESS = 200_000;
const LIMITERS = "limiters: [{ name: api, max_rps: 1000000 }]\n";

interface Point {
  readonly rate: number;
  readonly latency: Latency;
  readonly behind: number;
}

await using cleanup = new AsyncDisposableStack();
pinLoad();
const real = cleanup.use(await startMeasured(LIMITERS));
const answers = await answersOfToken(real.address, "api");
const servers = {
  "this server": real,
  "grpc-js alone": cleanup.use(await startBare("messages", answers)),
  "node:http2 alone": cleanup.use(await startBare("http2", answers)),
};
const works: [string, Work][] = [];
for (const [name, { address }] of Object.entries(servers)) {
  works.push([name, cleanup.use(await tryAcquires({ address, clients: CLIENTS, limiter: "api", ...ONE_LIMITER }))]);
}

works.push([
  "this server, in sessions",
  cleanup.use(await sessionTries({ address: real.address, clients: CLIENTS, limiter: "api", ...ONE_LIMITER })),
]);

const points = new Map<string, Point[]>(works.map(([name]) => [name, []]));
for (const rate of RATES) {
  const tried = new Map<string, Point[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, work] of works) {
      const last = points.get(name)?.at(-1);
      if (last !== undefined && (last.behind > 0 || last.latency.p50 > HOPELESS)) continue;
      const loop = { rate, arrivals: "even", duration: SHARE, warmUp: WARM_UP, mostInFlight: 20_000 } as const;
      const { latency, behind, refused, failed } = await runOpen(work, loop);
      if (latency === undefined || refused + failed > 0)
        throw new Error(`${name}: ${failed} failed, ${refused} refused`);
      tried.set(name, [...(tried.get(name) ?? []), { rate, latency, behind }]);
    }
  }
  for (const [name, rounds] of tried) points.get(name)?.push(middle(rounds));
}

/** The round whose p99 lies in the middle. */
function middle(rounds: readonly Point[]): Point {
  const sorted = [...rounds].sort((a, b) => a.latency.p99 - b.latency.p99);
  return sorted[sorted.length >> 1] as Point;
}

const all = [...points];
writeSeries("curves", {
  "p50 of latency (µs) at an offered rate (calls/s)": all.map(([name, side]) => ({
    name,
    points: side.map(({ rate, latency }) => [rate, latency.p50] as const),
  })),
  "p99 of latency (µs) at an offered rate (calls/s)": all.map(([name, side]) => ({
    name,
    points: side.map(({ rate, latency }) => [rate, latency.p99] as const),
  })),
  [`latency (µs) at a percentile, ${SHOWN_RATE} calls/s`]: all.map(([name, side]) => ({
    name,
    points: side.find(({ rate }) => rate === SHOWN_RATE)?.latency.curve ?? [],
  })),
});
const figures = all.flatMap(([name, side]): Figure[] =>
  side.flatMap(({ rate, latency, behind }) => [
    { what: `${name}, ${rate} calls/s: p50`, unit: "µs", spread: spreadOf([latency.p50]) },
    { what: "— p99", unit: "µs", spread: spreadOf([latency.p99]) },
    { what: "— not begun in time", unit: "", spread: spreadOf([behind]) },
  ]),
);
report({
  name: "curves",
  figures,
  notes: [
    `${SHARE / 1000} s a rate, the round in the middle of ${ROUNDS}, by its p99; over ${CLIENTS} connections; ${pinning()}.`,
    "Calls begin when they are due; one that begins late has waited since then.",
  ],
});
