/**
 * What it costs to know who calls and what it may do: unary calls with a token, against an access list of 100 entries, compared with the
 * same server where nobody is asked, in turns.
 */

import { randomBytes } from "node:crypto";
import { digestOf } from "../src/server/auth/static-tokens.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs, tryAcquires } from "./load/verbs.ts";
import { type MeasuredServer, pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, meanOf, type Side } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { underLoad } from "./support/under-load.ts";

const IN_FLIGHT = 64;
const CONNECTIONS = 4;
/** ms of one server in one round. */
const SHARE = 250;
const TURNS = { rounds: 30, warmUp: 6 };
/** Of each kind. */
const SERVERS = 3;
const ENTRIES = 100;
const LIMITERS = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }, { name: api, max_rps: 1000000 }]\n";
const TOKEN = `bp_bench_${randomBytes(32).toString("base64url")}`;

const auth = { tokens: [{ name: "bench", sha256: [digestOf(TOKEN).toString("hex")] }] };
/** All are for this caller; the last one allows what it asks. */
const access = Array.from({ length: ENTRIES }, (_, index) => ({
  who: ["token:*"],
  may: ["acquire"],
  limiters: index < ENTRIES - 1 ? [`team-${index}-*`] : ["db", "api"],
}));

await using cleanup = new AsyncDisposableStack();
pinLoad();
const guarded = `${LIMITERS}auth: ${JSON.stringify(auth)}\naccess: ${JSON.stringify(access)}\n`;
const headers = { authorization: `Bearer ${TOKEN}` };
/** Each has servers of its own, so that all have compiled as much. */
const CALLS = {
  open: { servers: await serve(LIMITERS) },
  /** What the header itself costs HTTP/2. */
  unread: { servers: await serve(LIMITERS), headers },
  known: { servers: await serve(guarded), headers },
};
type Calls = keyof typeof CALLS;
const VERBS = {
  TryAcquire: { verb: tryAcquires, limiter: "api" },
  "TryAcquire + Release": { verb: pairs, limiter: "db" },
};

async function serve(yaml: string): Promise<readonly MeasuredServer[]> {
  const servers: MeasuredServer[] = [];
  while (servers.length < SERVERS) servers.push(cleanup.use(await startMeasured(yaml)));
  return servers;
}

/** µs of a server's CPU, of all its threads, for an operation. */
async function cpuOf(name: keyof typeof VERBS, calls: Calls): Promise<Side> {
  const { verb, limiter } = VERBS[name];
  const { servers, ...credentials } = CALLS[calls];
  const sides: Side[] = [];
  for (const server of servers) {
    const options = { address: server.address, clients: CONNECTIONS, limiter, ...credentials, ...ONE_LIMITER };
    sides.push(underLoad(server, cleanup.use(await verb(options)), { inFlight: IN_FLIGHT, duration: SHARE }).side);
  }
  return meanOf(sides);
}

async function figuresOf(name: keyof typeof VERBS): Promise<Figure[]> {
  const sides = {
    open: await cpuOf(name, "open"),
    unread: await cpuOf(name, "unread"),
    known: await cpuOf(name, "known"),
  };
  const cpu = await inTurns(sides, TURNS);
  return [
    {
      what: `${name} with a token and ${ENTRIES} entries, to nobody asked, for a second of server CPU`,
      unit: "×",
      spread: ratioOf(cpu.open, cpu.known),
      target: atLeast(0.85),
    },
    { what: "— with a token that nobody asks for", unit: "×", spread: ratioOf(cpu.open, cpu.unread) },
    { what: "— nobody asked: server CPU for each", unit: "µs", spread: spreadOf(cpu.open) },
    { what: "— with a token and the list", unit: "µs", spread: spreadOf(cpu.known) },
  ];
}

const figures: Figure[] = [];
for (const name of Object.keys(VERBS) as (keyof typeof VERBS)[]) figures.push(...(await figuresOf(name)));
report({ name: "callers", figures, notes: [`${IN_FLIGHT} in flight over ${CONNECTIONS} connections; ${pinning()}.`] });
