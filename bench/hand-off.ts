/**
 * Hand-off over sessions of two processes: from the moment when one process sends its Release to the moment when the other hears
 * of its grant, while the server does half of what it can. Against a round trip of a process over a session of grpc-js alone that
 * does half of what it can.
 */

import { startPeer } from "./hand-off/start-peer.ts";
import { runClosed, runOpen, type Work } from "./load/arrivals.ts";
import { createLatencyRecorder, type Latency } from "./load/latency.ts";
import { sessionAnswers } from "./load/session-answers.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { sessionPairs } from "./load/verbs.ts";
import { pinLoad, pinning, startBareSession, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

/** ms */
const SHARE = 1_500;
/** ms from one hand-off to the next. */
const EVERY = 2;
const TURNS = { rounds: 9, warmUp: 1 };
const LIMITERS = "limiters: [{ name: db, max_concurrent: 100000 }, { name: gate, max_concurrent: 1 }]\n";

/** Repeats a step at a fixed pace for as long as a round lasts, and summarizes what each step took. */
async function paced(step: () => Promise<number>): Promise<Latency> {
  const recorder = createLatencyRecorder();
  const until = performance.now() + SHARE;
  while (performance.now() < until) {
    recorder.record(await step());
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
  return recorder.summary();
}

/** Half of what the server can do of this work, for as long as a round lasts. */
async function atHalfLoad(work: Work, step: () => Promise<number>): Promise<Latency> {
  const { operations } = await runClosed(work, { inFlight: 64, duration: 500, warmUp: 0 });
  const loop = { rate: operations, arrivals: "even", duration: SHARE, warmUp: 0, mostInFlight: 5_000 } as const;
  const [latency] = await Promise.all([paced(step), runOpen(work, loop)]);
  return latency;
}

await using cleanup = new AsyncDisposableStack();
pinLoad();
const real = cleanup.use(await startMeasured(LIMITERS));
const bare = cleanup.use(await startBareSession("messages", await sessionAnswers(real.address, "db")));
const workOf = async (address: string) =>
  cleanup.use(await sessionPairs({ address, clients: 1, limiter: "db", ...ONE_LIMITER }));
const peerOf = async (address: string) => cleanup.use(await startPeer(address, "gate"));

let [holder, next] = [await peerOf(real.address), await peerOf(real.address)];
const first = holder.hears("granted");
holder.order("queue");
await first;
async function handOff(): Promise<number> {
  const [placed, granted] = [next.hears("placed"), next.hears("granted")];
  next.order("queue");
  await placed;
  const released = holder.hears("released");
  holder.order("release");
  const took = (await granted).at - (await released).at;
  [holder, next] = [next, holder];
  return took;
}

const echo = await peerOf(bare.address);
async function roundTrip(): Promise<number> {
  const back = echo.hears("round-trip");
  echo.order("round-trip");
  return (await back).took;
}

const rounds: Record<"ours" | "theirs", Latency[]> = { ours: [], theirs: [] };
function side(which: "ours" | "theirs", work: Work, step: () => Promise<number>): Side {
  return async () => {
    const latency = await atHalfLoad(work, step);
    rounds[which].push(latency);
    return latency.p50;
  };
}
await inTurns(
  {
    ours: side("ours", await workOf(real.address), handOff),
    theirs: side("theirs", await workOf(bare.address), roundTrip),
  },
  TURNS,
);

const measured = (which: "ours" | "theirs", read: (latency: Latency) => number) =>
  rounds[which].slice(TURNS.warmUp).map(read);
function figuresOf(name: "p50" | "p99", most: number): Figure[] {
  const read = (latency: Latency) => latency[name];
  const [ours, theirs] = [measured("ours", read), measured("theirs", read)];
  return [
    {
      what: `hand-off at half load, ${name}: to a bare round trip at half load`,
      unit: "×",
      spread: ratioOf(ours, theirs),
      target: atMost(most),
    },
    { what: "— release sent to grant received", unit: "µs", spread: spreadOf(ours) },
    { what: "— the round trip", unit: "µs", spread: spreadOf(theirs) },
  ];
}

report({
  name: "hand-off",
  figures: [...figuresOf("p50", 1.5), ...figuresOf("p99", 3)],
  notes: [
    `One permit that goes to and fro between the sessions of two processes, some every ${EVERY} ms, beside Acquire + Release in a ` +
      `session at half of the rate that 64 in flight reach; ${SHARE / 1000} s a round and side; ${pinning()}. ` +
      "Both processes read one clock.",
  ],
});
