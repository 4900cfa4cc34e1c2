/**
 * Hand-off: from the moment when one connection's Release is sent to the moment when another's Acquire hears of its grant, while
 * the server does half of what it can. Against a round trip to grpc-js alone that does half of what it can.
 */

import { answersOfToken } from "./load/answers.ts";
import { runClosed, runOpen, type Work } from "./load/arrivals.ts";
import { answerOf, connectLoad, type LoadConnection } from "./load/connection.ts";
import { createLatencyRecorder, type Latency } from "./load/latency.ts";
import { bytesOf, stringField } from "./load/protobuf.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { ACQUIRE, acquireRequest, RELEASE, TRY_ACQUIRE, tryAcquires, tryRequest } from "./load/verbs.ts";
import { pinLoad, pinning, startBare, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

/** ms */
const SHARE = 1_500;
/** ms from one hand-off to the next. */
const EVERY = 5;
const TURNS = { rounds: 7, warmUp: 1 };
const CLIENTS = 4;
const LIMITERS = "limiters: [{ name: api, max_rps: 1000000 }, { name: gate, max_concurrent: 1 }]\n";
const RESPONSE = { granted: 2 } as const;
const GRANTED = { lease: 1, secret: 2 } as const;
const LEASE = { id: 1 } as const;

interface Held {
  readonly release: Buffer;
}

/** A place in the queue of the gate: `placed` when the server has said so, `granted` with what releases the lease. */
function queue(connection: LoadConnection): { readonly placed: Promise<void>; readonly granted: Promise<Held> } {
  const [placed, granted] = [Promise.withResolvers<void>(), Promise.withResolvers<Held>()];
  connection.stream(ACQUIRE, acquireRequest({ limiter: "gate", key: "" }), {
    message(bytes) {
      placed.resolve();
      const grant = bytesOf(bytes, RESPONSE.granted);
      if (grant === undefined) return;
      const lease = bytesOf(grant, GRANTED.lease);
      const id = (lease && bytesOf(lease, LEASE.id))?.toString("latin1") ?? "";
      const secret = bytesOf(grant, GRANTED.secret)?.toString("latin1") ?? "";
      granted.resolve({ release: Buffer.concat([stringField(1, id), stringField(2, secret)]) });
    },
    ended() {},
  });
  return { placed: placed.promise, granted: granted.promise };
}

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
const bare = cleanup.use(await startBare("messages", await answersOfToken(real.address, "api")));
const connect = async (address: string) => {
  const connection = await connectLoad(address);
  cleanup.defer(() => connection.close());
  return connection;
};
const workOf = async (address: string) =>
  cleanup.use(await tryAcquires({ address, clients: CLIENTS, limiter: "api", ...ONE_LIMITER }));

let [holder, next] = [await connect(real.address), await connect(real.address)];
let held = await queue(holder).granted;
async function handOff(): Promise<number> {
  const place = queue(next);
  await place.placed;
  const sent = performance.now();
  holder.call(RELEASE, held.release, (answer) => void answerOf(answer));
  held = await place.granted;
  const took = performance.now() - sent;
  [holder, next] = [next, holder];
  return took;
}

const echo = await connect(bare.address);
async function roundTrip(): Promise<number> {
  const sent = performance.now();
  await new Promise<void>((resolve) => {
    echo.call(TRY_ACQUIRE, tryRequest({ limiter: "api", key: "" }), () => resolve());
  });
  return performance.now() - sent;
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
    `One permit that goes to and fro between two connections, every ${EVERY} ms, beside TryAcquire at half of the rate that 64 in flight reach; ` +
      `${SHARE / 1000} s a round and side; ${pinning()}. Both connections are of one process, so that one clock says when.`,
  ],
});
