/**
 * TryAcquire, TryAcquire with Release, and Acquire through the whole gRPC stack, against grpc-js alone and node:http2 alone, which
 * answer the same calls with the same messages.
 */

import { answersOfPermit, answersOfToken } from "./load/answers.ts";
import type { Work } from "./load/arrivals.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { acquires, pairs, tryAcquires, type VerbOptions } from "./load/verbs.ts";
import { type MeasuredServer, pinLoad, pinning, startBare, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { type LoadRound, type UnderLoad, underLoad } from "./support/under-load.ts";

const IN_FLIGHT = 64;
const CONNECTIONS = 4;
/** A connection may send 1,000 cancels a second for ever. */
const CANCELLING_CONNECTIONS = 32;
/** ms of one side in one round. */
const SHARE = 600;
const TURNS = { rounds: 11, warmUp: 2 };
const LIMITERS = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }, { name: api, max_rps: 1000000 }]\n";

await using cleanup = new AsyncDisposableStack();

pinLoad();
const real = cleanup.use(await startMeasured(LIMITERS));
const [held, spent] = [await answersOfPermit(real.address, "db"), await answersOfToken(real.address, "api")];
const servers = {
  ours: { held: real, spent: real },
  messages: {
    held: cleanup.use(await startBare("messages", held)),
    spent: cleanup.use(await startBare("messages", spent)),
  },
  bytes: { held: cleanup.use(await startBare("bytes", held)), spent: cleanup.use(await startBare("bytes", spent)) },
  http2: { held: cleanup.use(await startBare("http2", held)), spent: cleanup.use(await startBare("http2", spent)) },
};
type Where = keyof typeof servers;

/** Each verb with its limiter: one with a rate alone leaves nothing behind that would have to be released. */
const VERBS = {
  TryAcquire: { verb: tryAcquires, limiter: "api", answers: "spent", clients: CONNECTIONS, target: 0.9 },
  "TryAcquire + Release": { verb: pairs, limiter: "db", answers: "held", clients: CONNECTIONS, target: 0.8 },
  "Acquire, granted and cancelled": {
    verb: acquires,
    limiter: "db",
    answers: "held",
    clients: CANCELLING_CONNECTIONS,
    target: 0.7,
  },
} as const satisfies Record<string, VerbRow>;
type Verb = keyof typeof VERBS;

interface VerbRow {
  readonly verb: (options: VerbOptions) => Promise<Work>;
  readonly limiter: string;
  readonly answers: "held" | "spent";
  readonly clients: number;
  /** Of the decisions for a second of the CPU of grpc-js with the messages. */
  readonly target: number;
}

const keyOf = (verb: Verb, where: Where) => `${verb} ${where}` as const;
const loads = new Map<string, UnderLoad>();
for (const verb of Object.keys(VERBS) as Verb[]) {
  const { verb: start, limiter, answers, clients } = VERBS[verb];
  for (const where of Object.keys(servers) as Where[]) {
    const server: MeasuredServer = servers[where][answers];
    const work = cleanup.use(await start({ address: server.address, clients, limiter, ...ONE_LIMITER }));
    loads.set(keyOf(verb, where), underLoad(server, work, { inFlight: IN_FLIGHT, duration: SHARE }));
  }
}
const sides = Object.fromEntries([...loads].map(([key, { side }]) => [key, side])) as Record<string, Side>;
const cpu = await inTurns(sides, TURNS);
const cpuOf = (verb: Verb, where: Where) => cpu[keyOf(verb, where)] ?? [];
const measured = (verb: Verb, where: Where, read: (round: LoadRound) => number) =>
  spreadOf((loads.get(keyOf(verb, where))?.rounds ?? []).slice(TURNS.warmUp).map(read));

const NAMES: Readonly<Record<Where, string>> = {
  ours: "this server",
  messages: "grpc-js that answers with the messages",
  bytes: "grpc-js that answers with bytes",
  http2: "node:http2 that answers with bytes",
};

function figuresOf(verb: Verb): Figure[] {
  const ratio = (where: Where) => ratioOf(cpuOf(verb, where), cpuOf(verb, "ours"));
  const { target } = VERBS[verb];
  return [
    {
      what: `${verb}: decided for a second of server CPU, to ${NAMES.messages}`,
      unit: "×",
      spread: ratio("messages"),
      target: atLeast(target),
    },
    { what: `— to ${NAMES.bytes}`, unit: "×", spread: ratio("bytes") },
    { what: `— to ${NAMES.http2}`, unit: "×", spread: ratio("http2") },
    ...(Object.keys(servers) as Where[]).flatMap((where): Figure[] => [
      { what: `— ${NAMES[where]}: server CPU for each`, unit: "µs", spread: spreadOf(cpuOf(verb, where)) },
      { what: "— — the load's CPU", unit: "µs", spread: measured(verb, where, ({ clientCpu }) => clientCpu) },
      { what: "— — a second", unit: "/s", spread: measured(verb, where, ({ rate }) => rate) },
      { what: "— — server at work", unit: "%", spread: measured(verb, where, ({ serverBusy }) => serverBusy * 100) },
    ]),
  ];
}

report({
  name: "unary",
  figures: (Object.keys(VERBS) as Verb[]).flatMap(figuresOf),
  notes: [
    `${IN_FLIGHT} in flight over ${CONNECTIONS} connections (Acquire: ${CANCELLING_CONNECTIONS}), ${SHARE / 1000} s a round and side; ${pinning()}.`,
    "A pair is one of the decided, and two calls.",
  ],
});
