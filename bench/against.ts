/**
 * This checkout against another, in turns in one run: a change that claims to cost nothing shows it here.
 *
 * `node bench/against.ts DIR [--only machine,unary,acquire,session,durable,rate]`: DIR is a checkout of another commit, after `npm ci`. Each
 * figure is this checkout's speed as a share of the other's. The load and its clients are this checkout's for both.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createRate } from "../src/server/machine/limiter/rate.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { acquires, pairs, sessionPairs } from "./load/verbs.ts";
import type * as Sides from "./machine/sides.ts";
import { deliveredShare } from "./rate/grants.ts";
import { grantOverSockets } from "./rate/over-sockets.ts";
import { type MeasuredServer, pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, meanOf, type Side } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { underLoad } from "./support/under-load.ts";

const KINDS = ["machine", "unary", "acquire", "session", "durable", "rate"] as const;
type Kind = (typeof KINDS)[number];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: "string" } } });
const [directory] = positionals;
if (directory === undefined) throw new Error("name the other checkout: node bench/against.ts DIR");
const OTHER = resolve(directory);
const kinds = values.only?.split(",") ?? KINDS;
const KEPT = atLeast(0.97);
const MANY = 100_000;
/** ms of one server in one round. */
const SHARE = 250;
/** Of each checkout. */
const SERVERS = 3;
/** What is asked over gRPC, with its connections. */
const OVER_GRPC = {
  unary: { what: "TryAcquire + Release over gRPC", verb: pairs, clients: 4 },
  acquire: { what: "Acquire over gRPC, granted and cancelled", verb: acquires, clients: 32 },
  session: { what: "Acquire + Release in a session", verb: sessionPairs, clients: 1 },
} as const;
const RATE = { text: "1000/s", tokens: 1_000, perMicros: 1_000_000 };

await using cleanup = new AsyncDisposableStack();

/** How this checkout compares in what costs less the better, and in what is more the better. */
const ofCosts = (what: string, { now, before }: Rounds, unit: string): Figure[] => [
  { what, unit: "×", spread: ratioOf(before, now), target: KEPT },
  { what: "— now", unit, spread: spreadOf(now) },
  { what: "— before", unit, spread: spreadOf(before) },
];

type Rounds = Record<"now" | "before", number[]>;

async function measureMachine(): Promise<Figure[]> {
  const now: typeof Sides = await import("./machine/sides.ts");
  const before: typeof Sides = await import(pathToFileURL(join(OTHER, "bench/machine/sides.ts")).href);
  const turns = { rounds: 15, warmUp: 5 };
  const both = (side: (sides: typeof Sides) => Side) => inTurns({ now: side(now), before: side(before) }, turns);
  return [
    ...ofCosts("TryAcquire + Release at the machine", await both((sides) => sides.tryAndRelease()), "ns"),
    ...ofCosts("Acquire + Release at the machine", await both((sides) => sides.acquireAndRelease()), "ns"),
    ...ofCosts(`Release, grant, Acquire; ${MANY} waiters`, await both((sides) => sides.handOn(MANY)), "ns"),
  ];
}

/** µs of a server's CPU, of all its threads, for an operation. */
async function cpuOf(
  server: MeasuredServer,
  inFlight: number,
  { verb, clients }: (typeof OVER_GRPC)[keyof typeof OVER_GRPC] = OVER_GRPC.unary,
): Promise<Side> {
  const options = { address: server.address, clients, limiter: "db", ...ONE_LIMITER };
  return underLoad(server, cleanup.use(await verb(options)), { inFlight, duration: SHARE }).side;
}

/** Both servers with the same configuration, each with a folder of its own. */
async function serveBoth(yaml: (folder: string) => string) {
  const serve = async (options: { readonly main?: string }) => {
    const folder = mkdtempSync(join(tmpdir(), "backpressure-bench-"));
    cleanup.defer(() => rmSync(folder, { recursive: true }));
    return cleanup.use(await startMeasured(yaml(folder), options));
  };
  return { now: await serve({}), before: await serve({ main: join(OTHER, "src/cli/main.ts") }) };
}

async function measureOverGrpc(kind: keyof typeof OVER_GRPC): Promise<Figure[]> {
  const asked = OVER_GRPC[kind];
  const sides = { now: [] as Side[], before: [] as Side[] };
  for (let server = 0; server < SERVERS; server += 1) {
    const { now, before } = await serveBoth(() => "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }]\n");
    sides.now.push(await cpuOf(now, 64, asked));
    sides.before.push(await cpuOf(before, 64, asked));
  }
  const rounds = await inTurns({ now: meanOf(sides.now), before: meanOf(sides.before) }, { rounds: 40, warmUp: 6 });
  return ofCosts(`${asked.what}, by the server's CPU`, rounds, "µs");
}

async function measureDurable(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [leases, inFlight] of [
    ["process", 64],
    ["disk", 512],
  ] as const) {
    const { now, before } = await serveBoth(
      (folder) => `store: { folder: ${folder}, leases: ${leases} }\nlimiters: [{ name: db, max_concurrent: 1000 }]\n`,
    );
    const sides = { now: await cpuOf(now, inFlight), before: await cpuOf(before, inFlight) };
    const what = `the same, leases kept (${leases}, ${inFlight} callers)`;
    figures.push(...ofCosts(what, await inTurns(sides, { rounds: 9, warmUp: 2 }), "µs"));
  }
  return figures;
}

async function measureRate(): Promise<Figure[]> {
  const rate = createRate({ kind: "amount", tokens: RATE.tokens, per: RATE.perMicros });
  if (rate === undefined) throw new RangeError(RATE.text);
  const { now, before } = await serveBoth(() => "limiters: [{ name: paced, max_rps: 1000 }]\n");
  const delivered =
    (server: MeasuredServer): Side =>
    async () => {
      const instants = await grantOverSockets(server.address, "paced", { duration: 6_000, waiters: 500 });
      const from = Math.max(rate.capacity, 1_000);
      return deliveredShare(instants.slice(from), { rate, claim: 1 }) * 100;
    };
  const rounds = await inTurns({ now: delivered(now), before: delivered(before) }, { rounds: 5, warmUp: 1 });
  return [
    {
      what: `delivered of ${RATE.text} over sockets`,
      unit: "×",
      spread: ratioOf(rounds.now, rounds.before),
      target: KEPT,
    },
    { what: "— now", unit: "%", spread: spreadOf(rounds.now) },
    { what: "— before", unit: "%", spread: spreadOf(rounds.before) },
  ];
}

const MEASURES: Readonly<Record<Kind, () => Promise<Figure[]>>> = {
  machine: measureMachine,
  unary: () => measureOverGrpc("unary"),
  acquire: () => measureOverGrpc("acquire"),
  session: () => measureOverGrpc("session"),
  durable: measureDurable,
  rate: measureRate,
};

pinLoad();
const figures: Figure[] = [];
for (const kind of KINDS.filter((kind) => kinds.includes(kind))) {
  process.stderr.write(`${kind}…\n`);
  figures.push(...(await MEASURES[kind]()));
}
report({ name: "against", figures, notes: [`A share above 1 is faster. ${pinning()}.`] });
