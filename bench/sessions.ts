/**
 * Acquire and Release in a session, with 1, 64 and 1,024 pairs in flight, against the same pairs by unary calls, and against a
 * bidirectional stream of grpc-js alone that answers with the same messages.
 */

import type { Work } from "./load/arrivals.ts";
import { sessionAnswers } from "./load/session-answers.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs, sessionPairs } from "./load/verbs.ts";
import { type MeasuredServer, pinLoad, pinning, startBareSession, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, atMost, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { type LoadRound, type UnderLoad, underLoad } from "./support/under-load.ts";

/** ms of one side in one round. */
const SHARE = 600;
const TURNS = { rounds: 11, warmUp: 2 };
const IN_FLIGHT = [1, 64, 1_024] as const;
const UNARY_IN_FLIGHT = 64;
const DECISIONS = 2;
const LIMITERS = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 10000 }]\n";

await using cleanup = new AsyncDisposableStack();
pinLoad();
const real = cleanup.use(await startMeasured(LIMITERS));
const answers = await sessionAnswers(real.address, "db").catch((error: Error) => {
  process.stderr.write(`skipped: the server opens no session (${error.message})\n`);
  process.exit(0);
});
const messages = cleanup.use(await startBareSession("messages", answers));
const bytes = cleanup.use(await startBareSession("bytes", answers));

const loads = new Map<string, UnderLoad>();
async function add(name: string, server: MeasuredServer, work: Work, inFlight: number): Promise<void> {
  loads.set(name, underLoad(server, cleanup.use(work), { inFlight, duration: SHARE }));
}
const subject = { limiter: "db", ...ONE_LIMITER };
for (const inFlight of IN_FLIGHT) {
  await add(`ours ${inFlight}`, real, await sessionPairs({ address: real.address, clients: 1, ...subject }), inFlight);
  const theirs = await sessionPairs({ address: messages.address, clients: 1, ...subject });
  await add(`messages ${inFlight}`, messages, theirs, inFlight);
}
await add("bytes 1", bytes, await sessionPairs({ address: bytes.address, clients: 1, ...subject }), 1);
await add("unary", real, await pairs({ address: real.address, clients: 4, ...subject }), UNARY_IN_FLIGHT);

const sides = Object.fromEntries([...loads].map(([name, { side }]) => [name, side])) as Record<string, Side>;
const cpu = await inTurns(sides, TURNS);
const cpuOf = (name: string) => cpu[name] ?? [];
const measured = (name: string, read: (round: LoadRound) => number) =>
  (loads.get(name)?.rounds ?? []).slice(TURNS.warmUp).map(read);
const p50 = (name: string) => measured(name, ({ latency }) => latency.p50);

const TO_UNARY: Readonly<Record<number, number | undefined>> = { 64: 8, 1024: 20 };

function figuresOf(inFlight: number): Figure[] {
  const [ours, theirs] = [`ours ${inFlight}`, `messages ${inFlight}`];
  const perSecond = spreadOf(cpuOf(ours).map((micros) => (DECISIONS * 1e6) / micros));
  const toUnary = ratioOf(cpuOf("unary"), cpuOf(ours));
  const least = TO_UNARY[inFlight];
  return [
    {
      what: `session, ${inFlight} in flight: decisions for a second of server CPU`,
      unit: "/s",
      spread: perSecond,
      ...(inFlight === 1_024 && { target: atLeast(400_000) }),
    },
    { what: `— ${inFlight} in flight, to unary`, unit: "×", spread: toUnary, ...(least && { target: atLeast(least) }) },
    { what: "— to grpc-js that answers with the messages", unit: "×", spread: ratioOf(cpuOf(theirs), cpuOf(ours)) },
    { what: "— decisions a second", unit: "/s", spread: spreadOf(measured(ours, ({ rate }) => DECISIONS * rate)) },
    { what: "— the load's CPU for a pair", unit: "µs", spread: spreadOf(measured(ours, ({ clientCpu }) => clientCpu)) },
    { what: "— p50 of a pair", unit: "µs", spread: spreadOf(p50(ours)) },
    { what: "— p99 of a pair", unit: "µs", spread: spreadOf(measured(ours, ({ latency }) => latency.p99)) },
  ];
}

report({
  name: "sessions",
  figures: [
    ...IN_FLIGHT.flatMap(figuresOf),
    {
      what: "one in flight: p50 of a pair, to grpc-js that answers with the messages",
      unit: "×",
      spread: ratioOf(p50("ours 1"), p50("messages 1")),
      target: atMost(1.2),
    },
    { what: "— to grpc-js that answers with bytes", unit: "×", spread: ratioOf(p50("ours 1"), p50("bytes 1")) },
    { what: "unary pair: server CPU", unit: "µs", spread: spreadOf(cpuOf("unary")) },
  ],
  notes: [
    `One session on one connection; unary: ${UNARY_IN_FLIGHT} pairs in flight over 4 connections; ${SHARE / 1000} s a round and side; ${pinning()}.`,
    "A pair is an Acquire that is granted at once, and its Release: two decisions.",
  ],
});
