/**
 * What traces cost a unary pair, in turns in one run: with none configured, with a receiver and calls that are not sampled, and with
 * calls that are.
 *
 * `node bench/traces.ts [DIR]`: DIR is a checkout of another commit, after `npm ci`, against which the others are then compared;
 * without it they are compared with a server without traces.
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs } from "./load/verbs.ts";
import { pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { underLoad } from "./support/under-load.ts";

const [directory] = process.argv.slice(2);
const CONNECTIONS = 4;
const IN_FLIGHT = 64;
/** ms of one server in one round: short, so that the machine changes little between the sides of a round. */
const SHARE = 400;
const ROUNDS = { rounds: 60, warmUp: 6 };
const LIMITERS = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }]\n";
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";

await using cleanup = new AsyncDisposableStack();

/** Takes what it is sent, and reads none of it. */
const receiver = createServer((request, response) => {
  request.resume().once("end", () => response.end());
});
await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
cleanup.defer(() => void receiver.close());
const { port } = receiver.address() as AddressInfo;
const traced = (ratio: number) => `traces: { otlp: { url: "http://127.0.0.1:${port}" }, ratio: ${ratio} }\n${LIMITERS}`;

const unsampled = { traceparent: `${TRACEPARENT}00` };

interface Served {
  readonly yaml: string;
  readonly main?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** µs of a server's CPU, of all its threads, for a pair. */
async function cpuOf({ yaml, main, headers }: Served): Promise<Side> {
  const server = cleanup.use(await startMeasured(yaml, main === undefined ? {} : { main }));
  const options = {
    address: server.address,
    clients: CONNECTIONS,
    limiter: "db",
    ...ONE_LIMITER,
    ...(headers && { headers }),
  };
  return underLoad(server, cleanup.use(await pairs(options)), { inFlight: IN_FLIGHT, duration: SHARE }).side;
}

pinLoad();
const other = directory === undefined ? {} : { main: join(resolve(directory), "src/cli/main.ts") };
const rounds = await inTurns(
  {
    before: await cpuOf({ yaml: LIMITERS, ...other }),
    none: await cpuOf({ yaml: LIMITERS }),
    unsampled: await cpuOf({ yaml: traced(0) }),
    /** What the header itself costs HTTP/2. */
    unread: await cpuOf({ yaml: LIMITERS, headers: unsampled }),
    said: await cpuOf({ yaml: traced(0), headers: unsampled }),
    tenth: await cpuOf({ yaml: traced(0.1) }),
    all: await cpuOf({ yaml: traced(1) }),
  },
  ROUNDS,
);
const kept = atLeast(0.97);
const share = (side: keyof typeof rounds) => ratioOf(rounds.before, rounds[side]);
const figures: Figure[] = [
  { what: "TryAcquire + Release without traces", unit: "×", spread: share("none"), target: kept },
  { what: "traces configured, calls without a traceparent", unit: "×", spread: share("unsampled"), target: kept },
  {
    what: "traces configured, calls that say they are not sampled, to such calls without traces",
    unit: "×",
    spread: ratioOf(rounds.unread, rounds.said),
    target: kept,
  },
  { what: "one call in ten sampled", unit: "×", spread: share("tenth") },
  { what: "every call sampled", unit: "×", spread: share("all") },
  { what: "— before", unit: "µs", spread: spreadOf(rounds.before) },
  { what: "— traces configured, calls without a traceparent", unit: "µs", spread: spreadOf(rounds.unsampled) },
];
const against = directory === undefined ? "a server without traces" : "the other checkout";
report({
  name: "traces",
  figures,
  notes: [`By the server's CPU, as a share of ${against}; above 1 is faster. ${pinning()}.`],
});
