/**
 * A file of 20,000 limiters is edited and sent SIGHUP unchanged, under 2,000 calls a second, while three clients join that
 * watch all limiters and 20 hold leases of ttl 2 s: how long the server's event loop is away, and what is lost.
 *
 * `node bench/reload.ts [--against DIR] [--limiters N] [--calls N] [--rounds N]`: DIR is a checkout whose server is measured in turns with this one's, with N
 * limiters (10,000: more no file could have before).
 */

import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { connect } from "../src/client/index.ts";
import { type ServerProcess, startServerProcess } from "../test/support/server-process.ts";
import type { FromLoad, LoadJob, ToLoad } from "./reload/load-thread.ts";
import type { Turns } from "./servers/turn-meter.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, type Figure, report } from "./support/report.ts";
import { spreadOf } from "./support/spread.ts";

const { values } = parseArgs({
  options: {
    against: { type: "string" },
    limiters: { type: "string", default: "20000" },
    calls: { type: "string", default: "2000" },
    rounds: { type: "string", default: "5" },
  },
});
const LIMITERS = Number(values.limiters);
const CALLS = Number(values.calls);
const LIMITERS_BEFORE = Math.min(LIMITERS, 10_000);
const TURN_METER = new URL("servers/turn-meter.ts", import.meta.url).href;
const LEASES = 20;
const WATCHERS = 3;
interface Round {
  readonly turns: Turns;
  readonly lost: number;
  /** s from the write of the file until all of it is in force. */
  readonly took: number;
  /** Calls a second that were answered. */
  readonly calls: number;
}

const nameOf = (index: number) => `team-${String(index).padStart(5, "0")}/api`;

function fileOf(count: number, edited: string): string {
  const limiters = Array.from({ length: count }, (_, i) => {
    const description = i === count >> 1 ? edited : "The quota of one team on a shared service";
    return `  - { name: ${nameOf(i)}, description: ${description}, max_rps: 100, max_concurrent: 50, ttl: 2s }\n`;
  });
  return `limiters:\n${limiters.join("")}`;
}

async function play(count: number, main?: string): Promise<Round> {
  await using cleanup = new AsyncDisposableStack();
  const options = { nodeArguments: ["--import", TURN_METER], ...(main === undefined ? {} : { main }) };
  const server = cleanup.use(await startServerProcess(fileOf(count, "first"), options));
  await server.logged(/limiters declared/);
  const client = cleanup.use(connect(server.address));
  const names = Array.from({ length: count }, (_, i) => nameOf(i));
  const leases = await Promise.all(names.slice(0, LEASES).map((name) => client.acquire(name)));
  const load = cleanup.use(startLoad({ address: server.address, limiters: names, watchers: WATCHERS, calls: CALLS }));
  await sleep(2_000);
  await turnsOf(server);
  const watching = load.watch();
  const began = performance.now();
  server.configure(fileOf(count, "second"));
  await server.logged(/has changed and is taken up/);
  await server.logged(/limiters declared/);
  const took = (performance.now() - began) / 1_000;
  server.signal("SIGHUP");
  await server.logged(/says what is in force already/);
  await watching;
  const calls = await load.calls();
  const turns = await turnsOf(server);
  const lost = leases.filter(({ signal }) => signal.aborted).length;
  await Promise.all(leases.map((lease) => lease.release()));
  return { turns, lost, took, calls };
}

async function turnsOf(server: ServerProcess): Promise<Turns> {
  const answered = once(server.process, "message");
  server.process.send("turns");
  const [turns] = (await answered) as [Turns];
  return turns;
}

function startLoad(job: LoadJob) {
  const thread = new Worker(new URL("reload/load-thread.ts", import.meta.url), { workerData: job });
  const ask = async (question: ToLoad): Promise<FromLoad> => {
    const answered = once(thread, "message");
    thread.postMessage(question);
    const [answer] = (await answered) as [FromLoad];
    return answer;
  };
  return {
    watch: () => ask("watch"),
    async calls() {
      const answer = await ask("count");
      return answer.kind === "count" ? answer.calls : 0;
    },
    [Symbol.asyncDispose]: async () => void (await thread.terminate()),
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const played: Record<"now" | "before", Round[]> = { now: [], before: [] };
const main = values.against && join(values.against, "src/cli/main.ts");
const side = (which: "now" | "before", count: number, path?: string) => async () => {
  const round = await play(count, path);
  played[which].push(round);
  return round.turns.busiest[0] as number;
};
const sides: Record<string, Side> = { now: side("now", LIMITERS) };
if (main !== undefined) sides.before = side("before", LIMITERS_BEFORE, main);
await inTurns(sides, { rounds: Number(values.rounds), warmUp: 0 });

function figuresOf(rounds: readonly Round[], what: string): Figure[] {
  const target = rounds === played.now ? { target: atMost(20) } : {};
  const none = rounds === played.now ? { target: atMost(0) } : {};
  const of = (read: (round: Round) => number) => spreadOf(rounds.map(read));
  return [
    {
      what: `${what}: most that a turn works (CPU)`,
      unit: "ms",
      spread: of(({ turns }) => turns.busiest[0] as number),
      ...target,
    },
    { what: "— the next to it", unit: "ms", spread: of(({ turns }) => turns.busiest[1] as number) },
    { what: "— longest that the loop is away", unit: "ms", spread: of(({ turns }) => turns.longest[0] as number) },
    { what: "— longest collection of garbage", unit: "ms", spread: of(({ turns }) => turns.collections[0] ?? 0) },
    { what: "— from the write to all in force", unit: "s", spread: of(({ took }) => took) },
    { what: `— leases of ttl 2 s lost, of ${LEASES}`, unit: "", spread: of(({ lost }) => lost), ...none },
    { what: `— calls answered, of ${CALLS}`, unit: "/s", spread: of(({ calls }) => calls) },
  ];
}

report({
  name: "reload",
  figures: [
    ...figuresOf(played.now, `${LIMITERS} limiters`),
    ...(played.before.length > 0 ? figuresOf(played.before, `before, ${LIMITERS_BEFORE} limiters`) : []),
  ],
  notes: [
    `${CALLS} calls a second at a fixed pace, ${WATCHERS} watchers that join; ${values.against === undefined ? "" : "`before` is the checkout of --against. "}` +
      "A turn's work is CPU time of the server's thread, collections of garbage included. How long the loop is away, and a " +
      "collection takes, includes what other processes took of the core; what waited meanwhile is then worked off in one turn.",
  ],
});
