/**
 * A scrape of 1,000 limiters, all of which have had traffic: the longest turn of the server's event loop meanwhile, and what it costs,
 * with the server idle and under 1,000 calls a second.
 *
 * `node bench/scrape.ts [--limiters N] [--rounds N]`
 */

import { once } from "node:events";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { connect } from "../src/client/index.ts";
import { type ServerProcess, startServerProcess } from "../test/support/server-process.ts";
import type { FromLoad, LoadJob } from "./reload/load-thread.ts";
import { pinLoad, pinning, pinServer } from "./servers/measured.ts";
import type { Turns } from "./servers/turn-meter.ts";
import { atMost, type Figure, report } from "./support/report.ts";
import { spreadOf } from "./support/spread.ts";

const { values } = parseArgs({
  options: { limiters: { type: "string", default: "1000" }, rounds: { type: "string", default: "9" } },
});
const LIMITERS = Number(values.limiters);
const ROUNDS = Number(values.rounds);
const WARM_UP = 3;
/** In one round, one after the other. */
const SCRAPES = 5;
const CALLS = 1_000;
const TURN_METER = new URL("servers/turn-meter.ts", import.meta.url).href;

const nameOf = (index: number) => `team-${String(index).padStart(5, "0")}/api`;
const names = Array.from({ length: LIMITERS }, (_, index) => nameOf(index));
const limiters = names.map((name) => `  - { name: ${name}, max_rps: 10000, max_concurrent: 50 }\n`);

interface Round {
  readonly turns: Turns;
  /** ms of the server's CPU for a scrape, all threads. */
  readonly cpu: number;
  /** ms that a scrape took. */
  readonly took: number;
  readonly bytes: number;
  readonly lines: number;
}

await using cleanup = new AsyncDisposableStack();
pinLoad();
const yaml = `workers: 0\nmetrics: { max_limiters: ${LIMITERS} }\nlimiters:\n${limiters.join("")}`;
const server = cleanup.use(await startServerProcess(yaml, { nodeArguments: ["--import", TURN_METER] }));
pinServer(server.process);
const client = cleanup.use(connect(server.address));
// All of their figures are there from here on.
for (const name of names) await (await client.acquire(name)).release();

async function turnsOf({ process }: ServerProcess): Promise<Turns> {
  const answered = once(process, "message");
  process.send("turns");
  const [turns] = (await answered) as [Turns];
  return turns;
}

async function scrape(): Promise<string> {
  return (await fetch(`${server.url}/metrics`)).text();
}

/** ms of CPU that the server has used. */
async function cpuOf(): Promise<number> {
  const [, value = "0"] = /^backpressure_process_cpu_seconds_total (\S+)$/m.exec(await scrape()) ?? [];
  return Number(value) * 1_000;
}

/** The last scrape says what all before it have cost, so each of `cpuOf` is one of them. */
async function play(): Promise<Round> {
  const before = await cpuOf();
  await turnsOf(server);
  const began = performance.now();
  let text = "";
  for (let index = 1; index < SCRAPES; index++) text = await scrape();
  const took = (performance.now() - began) / (SCRAPES - 1);
  const cpu = ((await cpuOf()) - before) / SCRAPES;
  const turns = await turnsOf(server);
  return { turns, cpu, took, bytes: text.length, lines: text.split("\n").length - 1 };
}

async function playAll(): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const played = await play();
    if (round >= 0) rounds.push(played);
  }
  return rounds;
}

function startLoad(job: LoadJob) {
  const thread = new Worker(new URL("reload/load-thread.ts", import.meta.url), { workerData: job });
  return {
    async calls(): Promise<number> {
      const answered = once(thread, "message");
      thread.postMessage("count");
      const [answer] = (await answered) as [FromLoad];
      return answer.kind === "count" ? answer.calls : 0;
    },
    [Symbol.asyncDispose]: async () => void (await thread.terminate()),
  };
}

const idle = await playAll();
const load = cleanup.use(startLoad({ address: server.address, limiters: names, watchers: 0, calls: CALLS }));
await new Promise((resolve) => setTimeout(resolve, 2_000));
const busy = await playAll();
const calls = await load.calls();

function figuresOf(rounds: readonly Round[], what: string, isIdle: boolean): Figure[] {
  const of = (read: (round: Round) => number) => spreadOf(rounds.map(read));
  return [
    {
      what: `${what}: most that a turn works (CPU)`,
      unit: "ms",
      spread: of(({ turns }) => turns.busiest[0] ?? 0),
      target: atMost(isIdle ? 5 : 10),
    },
    { what: "— longest that the loop is away", unit: "ms", spread: of(({ turns }) => turns.longest[0] ?? 0) },
    { what: "— longest collection of garbage", unit: "ms", spread: of(({ turns }) => turns.collections[0] ?? 0) },
    // Under load the calls would be counted with it.
    ...(isIdle ? [{ what: "— CPU of a scrape, all threads", unit: "ms", spread: of(({ cpu }) => cpu) }] : []),
    { what: "— from the request to the last byte", unit: "ms", spread: of(({ took }) => took) },
  ];
}

report({
  name: "scrape",
  figures: [
    ...figuresOf(idle, `${LIMITERS} limiters, idle`, true),
    { what: "— lines", unit: "", spread: spreadOf(idle.map(({ lines }) => lines)) },
    { what: "— bytes", unit: "", spread: spreadOf(idle.map(({ bytes }) => bytes)) },
    ...figuresOf(busy, `under ${CALLS} calls a second`, false),
    { what: "— calls answered", unit: "/s", spread: spreadOf([calls]) },
  ],
  notes: [
    `${SCRAPES} scrapes a round, one after the other; ${pinning()}.`,
    "A turn's work is CPU time of the server's thread, several short turns and collections of garbage included.",
  ],
});
