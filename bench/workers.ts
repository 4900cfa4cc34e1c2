/**
 * Transport workers: TryAcquire where one thread does all, and where a worker has the connections and the engine's thread decides. What
 * a decision costs the engine's thread bounds what all cores together can do.
 */

import { runClosed, type Work } from "./load/arrivals.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { tryAcquires } from "./load/verbs.ts";
import { type MeasuredServer, pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const IN_FLIGHT = 256;
const CONNECTIONS = 8;
/** ms */
const SHARE = 700;
const TURNS = { rounds: 13, warmUp: 2 };
const limiters = (workers: number) => `workers: ${workers}\nlimiters: [{ name: api, max_rps: 1000000 }]\n`;

interface Loaded {
  /** µs of all threads for a decision. */
  readonly side: Side;
  /** µs of the engine's thread for a decision, and decisions a second, of every round. */
  readonly engine: number[];
  readonly rate: number[];
}

function load(server: MeasuredServer, work: Work): Loaded {
  const [engine, rate] = [[] as number[], [] as number[]];
  return {
    engine,
    rate,
    async side() {
      const before = await server.usage();
      const { operations, took } = await runClosed(work, { inFlight: IN_FLIGHT, duration: SHARE, warmUp: 0 });
      const after = await server.usage();
      engine.push((after.mainCpu - before.mainCpu) / operations);
      rate.push((operations * 1_000) / took);
      return (after.cpu - before.cpu) / operations;
    },
  };
}

await using cleanup = new AsyncDisposableStack();
pinLoad();
async function start(workers: number): Promise<Loaded> {
  const server = cleanup.use(await startMeasured(limiters(workers)));
  const options = { address: server.address, clients: CONNECTIONS, limiter: "api", ...ONE_LIMITER };
  return load(server, cleanup.use(await tryAcquires(options)));
}
const [alone, one, two] = [await start(0), await start(1), await start(2)];
const cpu = await inTurns({ alone: alone.side, one: one.side, two: two.side }, TURNS);
const measured = (figures: readonly number[]) => spreadOf(figures.slice(TURNS.warmUp));

report({
  name: "workers",
  figures: [
    { what: "one thread alone: CPU for a decision", unit: "µs", spread: spreadOf(cpu.alone) },
    { what: "— decisions a second", unit: "/s", spread: measured(alone.rate) },
    {
      what: "with a worker: CPU of the engine's thread for a decision",
      unit: "µs",
      spread: measured(one.engine),
      target: atMost(5),
    },
    {
      what: "— CPU of all threads, to one thread alone",
      unit: "×",
      spread: ratioOf(cpu.one, cpu.alone),
      target: atMost(1.15),
    },
    { what: "— decisions a second", unit: "/s", spread: measured(one.rate) },
    { what: "with two workers: CPU of the engine's thread for a decision", unit: "µs", spread: measured(two.engine) },
    { what: "— CPU of all threads, to that of one alone", unit: "×", spread: ratioOf(cpu.two, cpu.alone) },
    { what: "— decisions a second", unit: "/s", spread: measured(two.rate) },
  ],
  notes: [
    `${IN_FLIGHT} TryAcquire in flight over ${CONNECTIONS} connections, ${SHARE / 1000} s a round and side; ${pinning()}: all threads of a server share one core.`,
  ],
});
