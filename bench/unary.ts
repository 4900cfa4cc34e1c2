/** TryAcquire and Release through the whole gRPC stack, against grpc-js alone that echoes the same messages, or the same bytes. */

import { type MeasuredServer, pinLoad, pinning, startBare, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { connectLoad, type Load, RELEASE, TRY_ACQUIRE, takePair } from "./unary/load.ts";

const IN_FLIGHT = 64;
const CONNECTIONS = 4;
/** ms of one side in one round. */
const SHARE = 2_000;
const TURNS = { rounds: 15, warmUp: 2 };
const LIMITER = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }]\n";

/** What the rounds of one server have shown beside pairs a second. */
interface Loaded {
  readonly side: Side;
  /** µs of the server's CPU for a pair, round by round; like the side's figures with those of the warm-up. */
  readonly cpu: number[];
  /** Shares of the time for which the server and the load were at work. */
  readonly serverBusy: number[];
  readonly loadBusy: number[];
}

function underLoad(server: MeasuredServer, load: Load): Loaded {
  const loaded = { cpu: [] as number[], serverBusy: [] as number[], loadBusy: [] as number[] };
  return {
    ...loaded,
    async side() {
      const before = await server.usage();
      const own = process.cpuUsage();
      const { pairs, took } = await load.run(SHARE);
      const { user, system } = process.cpuUsage(own);
      const cpu = (await server.usage()).cpu - before.cpu;
      loaded.cpu.push(cpu / pairs);
      loaded.serverBusy.push(cpu / (took * 1000));
      loaded.loadBusy.push((user + system) / (took * 1000));
      return (pairs * 1000) / took;
    },
  };
}

pinLoad();
await using real = await startMeasured(LIMITER);
const answers = await takePair(real.address);
const echoed = { [TRY_ACQUIRE]: answers.tryAcquire, [RELEASE]: answers.release };
await using messages = await startBare("messages", echoed);
await using bytes = await startBare("bytes", echoed);
const shape = { connections: CONNECTIONS, inFlight: IN_FLIGHT };
using realLoad = await connectLoad(real.address, shape);
using messagesLoad = await connectLoad(messages.address, shape);
using bytesLoad = await connectLoad(bytes.address, shape);

const ours = underLoad(real, realLoad);
const theirs = underLoad(messages, messagesLoad);
const least = underLoad(bytes, bytesLoad);
const pairs = await inTurns({ ours: ours.side, theirs: theirs.side, least: least.side }, TURNS);
const measured = (figures: readonly number[]) => figures.slice(TURNS.warmUp);
const percent = (shares: readonly number[]) => spreadOf(measured(shares).map((share) => share * 100));

report({
  name: "unary",
  figures: [
    {
      what: "pairs a second to those of grpc-js that echoes the messages",
      unit: "×",
      spread: ratioOf(pairs.ours, pairs.theirs),
      target: atLeast(0.7),
    },
    {
      what: "pairs per second of server CPU, likewise",
      unit: "×",
      spread: ratioOf(measured(theirs.cpu), measured(ours.cpu)),
    },
    { what: "— to those of grpc-js that echoes bytes", unit: "×", spread: ratioOf(pairs.ours, pairs.least) },
    { what: "pairs", unit: "/s", spread: spreadOf(pairs.ours) },
    { what: "server CPU for a pair", unit: "µs", spread: spreadOf(measured(ours.cpu)) },
    { what: "server at work", unit: "%", spread: percent(ours.serverBusy) },
    { what: "load at work meanwhile", unit: "%", spread: percent(ours.loadBusy) },
    { what: "grpc-js with messages: pairs", unit: "/s", spread: spreadOf(pairs.theirs) },
    { what: "grpc-js with messages: server CPU for a pair", unit: "µs", spread: spreadOf(measured(theirs.cpu)) },
    { what: "grpc-js with messages: server at work", unit: "%", spread: percent(theirs.serverBusy) },
    { what: "grpc-js with messages: load at work meanwhile", unit: "%", spread: percent(theirs.loadBusy) },
    { what: "grpc-js with bytes: pairs", unit: "/s", spread: spreadOf(pairs.least) },
    { what: "grpc-js with bytes: server CPU for a pair", unit: "µs", spread: spreadOf(measured(least.cpu)) },
  ],
  notes: [
    `${IN_FLIGHT} pairs in flight over ${CONNECTIONS} connections, ${SHARE / 1000} s a round and side; ${pinning()}.`,
    `Answers of ${answers.tryAcquire.byteLength} and ${answers.release.byteLength} bytes. A pair is two calls.`,
  ],
});
