/**
 * TryAcquire, TryAcquire with Release, and Acquire through the whole gRPC stack, against grpc-js alone that answers the same with
 * the same messages, or bytes.
 */

import { type MeasuredServer, pinLoad, pinning, startBare, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import {
  ACQUIRE,
  acquire,
  answersOf,
  connectLoad,
  pair,
  RELEASE,
  TRY_ACQUIRE,
  tryAcquire,
  type Work,
} from "./unary/load.ts";

const IN_FLIGHT = 64;
const CONNECTIONS = 4;
/** A connection may send 1,000 cancels a second for ever. */
const CANCELLING_CONNECTIONS = 32;
/** ms of one side in one round. */
const SHARE = 1_000;
const TURNS = { rounds: 4, warmUp: 1 };
const LIMITERS = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }, { name: api, max_rps: 1000000 }]\n";

/** A server under one kind of work. */
interface Loaded {
  /** µs of the server's CPU for each. */
  readonly side: Side;
  /** Round by round, with those of the warm-up. */
  readonly rate: number[];
  /** Shares of the time for which the server and the load were at work. */
  readonly serverBusy: number[];
  readonly loadBusy: number[];
}

const NONE = new Uint8Array(0);

await using cleanup = new AsyncDisposableStack();

async function underLoad(server: MeasuredServer, work: Work, connections: number): Promise<Loaded> {
  const load = cleanup.use(await connectLoad(server.address, { connections, inFlight: IN_FLIGHT, work }));
  const loaded = { rate: [] as number[], serverBusy: [] as number[], loadBusy: [] as number[] };
  return {
    ...loaded,
    async side() {
      const before = await server.usage();
      const own = process.cpuUsage();
      const { done, took } = await load.run(SHARE);
      const { user, system } = process.cpuUsage(own);
      const cpu = (await server.usage()).cpu - before.cpu;
      loaded.rate.push((done * 1000) / took);
      loaded.serverBusy.push(cpu / (took * 1000));
      loaded.loadBusy.push((user + system) / (took * 1000));
      return cpu / done;
    },
  };
}

pinLoad();
const real = cleanup.use(await startMeasured(LIMITERS));
const [alone = NONE] = await answersOf(real.address, tryAcquire);
const [tried = NONE, released = NONE] = await answersOf(real.address, pair);
const [granted = NONE] = await answersOf(real.address, acquire);
const bare = async (mode: "messages" | "bytes", answers: Readonly<Record<string, Uint8Array>>) =>
  cleanup.use(await startBare(mode, answers));
const echoed = { [TRY_ACQUIRE]: tried, [RELEASE]: released, [ACQUIRE]: granted };
const messages = await bare("messages", echoed);
const messagesAlone = await bare("messages", { [TRY_ACQUIRE]: alone });
const bytes = await bare("bytes", echoed);

const sides = {
  tryOurs: await underLoad(real, tryAcquire, CONNECTIONS),
  tryTheirs: await underLoad(messagesAlone, tryAcquire, CONNECTIONS),
  pairOurs: await underLoad(real, pair, CONNECTIONS),
  pairTheirs: await underLoad(messages, pair, CONNECTIONS),
  pairBytes: await underLoad(bytes, pair, CONNECTIONS),
  acquireOurs: await underLoad(real, acquire, CANCELLING_CONNECTIONS),
  acquireTheirs: await underLoad(messages, acquire, CANCELLING_CONNECTIONS),
};
type Name = keyof typeof sides;
const names = Object.keys(sides) as Name[];
const cpu = await inTurns(
  Object.fromEntries(names.map((name) => [name, sides[name].side])) as Record<Name, Side>,
  TURNS,
);
const measured = (figures: readonly number[]) => figures.slice(TURNS.warmUp);
const percent = (shares: readonly number[]) => spreadOf(measured(shares).map((share) => share * 100));

function ofWork(what: string, ours: Name, theirs: Name, target: number): Figure[] {
  const toTheirs = `to grpc-js that answers with the messages`;
  return [
    {
      what: `${what} per second of server CPU, ${toTheirs}`,
      unit: "×",
      spread: ratioOf(cpu[theirs], cpu[ours]),
      target: atLeast(target),
    },
    { what: "— a second", unit: "×", spread: ratioOf(measured(sides[ours].rate), measured(sides[theirs].rate)) },
    ...ofSide("— here", ours),
    ...ofSide("— there", theirs),
  ];
}

function ofSide(where: string, name: Name): Figure[] {
  const { rate, serverBusy, loadBusy } = sides[name];
  return [
    { what: `${where}, server CPU`, unit: "µs", spread: spreadOf(cpu[name]) },
    { what: `${where}, a second`, unit: "/s", spread: spreadOf(measured(rate)) },
    { what: `${where}, server at work`, unit: "%", spread: percent(serverBusy) },
    { what: `${where}, load at work`, unit: "%", spread: percent(loadBusy) },
  ];
}

report({
  name: "unary-tmp",
  figures: [
    ...ofWork("TryAcquire", "tryOurs", "tryTheirs", 0.9),
    ...ofWork("TryAcquire + Release", "pairOurs", "pairTheirs", 0.8),
    { what: "— to grpc-js that echoes bytes", unit: "×", spread: ratioOf(cpu.pairBytes, cpu.pairOurs) },
    ...ofWork("Acquire, granted and cancelled", "acquireOurs", "acquireTheirs", 0.7),
  ],
  notes: [
    `${IN_FLIGHT} in flight over ${CONNECTIONS} connections (Acquire: ${CANCELLING_CONNECTIONS}), ${SHARE / 1000} s a round and side; ${pinning()}.`,
    `Answers of ${alone.byteLength}, ${tried.byteLength}, ${released.byteLength} and ${granted.byteLength} bytes. A pair is two calls.`,
  ],
});
