/**
 * Scale: 100,000 acquires that wait in sessions, 10,000 on streams, a million keys that come and go, 10,000 limiters that are watched, a
 * day of virtual time. Memory and cost for a decision stay what they are.
 */

import { connect } from "../src/client/index.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs } from "./load/verbs.ts";
import { liveADay } from "./scale/day.ts";
import { comeAndGo, LIVING, type Stretch } from "./scale/keys.ts";
import { waitInSessions } from "./scale/session-waiters.ts";
import { waitOnStreams } from "./scale/stream-waiters.ts";
import { type MeasuredServer, pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns } from "./support/in-turns.ts";
import { atMost, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { underLoad } from "./support/under-load.ts";

const SESSION_WAITERS = 100_000;
const STREAM_WAITERS = 10_000;
const WATCHED = 10_000;
const WATCHERS = 3;
const ROUNDS = 3;

function say(what: string): void {
  process.stderr.write(`${what}…\n`);
}

/** Bytes for each, round by round. */
interface Memory {
  readonly resident: readonly number[];
  /** On the heap and in buffers: what a collection has left. */
  readonly heap: readonly number[];
}

type Wait = (server: MeasuredServer, count: number) => Promise<Disposable>;

/** On a fresh server each round. A tenth of the crowd comes before: what grows once, with the load, is not for each. */
async function memoryOfEach(count: number, wait: Wait): Promise<Memory> {
  const [resident, heap] = [[] as number[], [] as number[]];
  for (let round = 0; round < ROUNDS; round += 1) {
    const limiter = `{ name: db, max_concurrent: 1, max_waiters: ${2 * count} }`;
    await using server = await startMeasured(`limits: { max_waiters: ${2 * count} }\nlimiters: [${limiter}]\n`);
    using _first = await wait(server, count / 10);
    const before = await server.usageCollected();
    using _crowd = await wait(server, count);
    const after = await server.usageCollected();
    resident.push((after.rss - before.rss) / count);
    heap.push((after.heap - before.heap) / count);
  }
  return { resident, heap };
}

async function sessionWaiters(): Promise<Figure[]> {
  say(`${SESSION_WAITERS} acquires wait in sessions`);
  try {
    const wait: Wait = ({ address }, count) => waitInSessions(address, "db", count);
    const { resident, heap } = await memoryOfEach(SESSION_WAITERS, wait);
    return [
      { what: "a waiter in a session: memory", unit: "bytes", spread: spreadOf(resident), target: atMost(600) },
      { what: "— heap", unit: "bytes", spread: spreadOf(heap) },
    ];
  } catch (error) {
    say(`skipped: ${(error as Error).message}`);
    return [];
  }
}

async function streamWaiters(): Promise<Figure[]> {
  say(`${STREAM_WAITERS} acquires wait on streams`);
  const wait: Wait = ({ address }, count) => waitOnStreams(address, "db", count);
  const { resident, heap } = await memoryOfEach(STREAM_WAITERS, wait);
  const inKib = (bytes: readonly number[]) => spreadOf(bytes.map((each) => each / 1_024));
  return [
    { what: "a waiter on a stream: memory", unit: "KiB", spread: inKib(resident), target: atMost(14) },
    { what: "— heap", unit: "KiB", spread: inKib(heap) },
  ];
}

/** Each stretch against the second, in which everything is as large as it becomes. */
function flat(what: string, stretches: readonly Stretch[]): Figure[] {
  const [, second, ...later] = stretches;
  if (second === undefined) throw new RangeError("too few stretches");
  return [
    { what: `${what}: cost of a decision`, unit: "ns", spread: spreadOf([second, ...later].map(({ cost }) => cost)) },
    {
      what: "— the last stretch to the second",
      unit: "×",
      spread: spreadOf([(later.at(-1) ?? second).cost / second.cost]),
      target: atMost(1.3),
    },
    {
      what: "— heap after the last, to that after the second",
      unit: "×",
      spread: spreadOf([(later.at(-1) ?? second).heap / second.heap]),
      target: atMost(1.1),
    },
    { what: "— heap after the last", unit: "MB", spread: spreadOf([(later.at(-1) ?? second).heap / 1e6]) },
  ];
}

async function watched(): Promise<Figure[]> {
  say(`${WATCHED} limiters are watched`);
  await using cleanup = new AsyncDisposableStack();
  const limiters = Array.from({ length: WATCHED }, (_, i) => `- { name: many-${i}, max_concurrent: 1000 }\n`).join("");
  const start = async () => {
    const server = cleanup.use(await startMeasured(`limiters:\n${limiters}`));
    const subject = { ...ONE_LIMITER, limiter: "many", limiters: WATCHED };
    const work = cleanup.use(await pairs({ address: server.address, clients: 4, ...subject }));
    return { server, side: underLoad(server, work, { inFlight: 64, duration: 1_000 }).side };
  };
  const [none, some] = [await start(), await start()];
  for (let i = 0; i < WATCHERS; i += 1) {
    const client = cleanup.use(connect(some.server.address));
    const read = async () => {
      for await (const _ of client.limiters.watch());
    };
    // The watch ends with its client.
    read().catch(() => {});
  }
  const cpu = await inTurns({ none: none.side, some: some.side }, { rounds: 7, warmUp: 2 });
  return [
    { what: `${WATCHED} limiters, any of them asked: server CPU for a pair`, unit: "µs", spread: spreadOf(cpu.none) },
    { what: `— with ${WATCHERS} watchers of all of them`, unit: "×", spread: ratioOf(cpu.some, cpu.none) },
  ];
}

pinLoad();
const figures = [...(await sessionWaiters()), ...(await streamWaiters()), ...(await watched())];
say("a million keys come and go");
figures.push(...flat(`${LIVING} keys of a limiter, always new ones`, comeAndGo(5)));
say("a day goes by");
figures.push(...flat("a day of virtual time at the engine", await liveADay(4)));
report({
  name: "scale",
  figures,
  notes: [
    `${pinning()}. Memory is what becomes resident for a crowd after a tenth of it, once all is collected and V8 has given back the ` +
      `pages that it keeps free; on a fresh server each of ${ROUNDS} rounds.`,
    "Keys: a million are there at any time, and each decision is about a new one; stretches of a million decisions. " +
      "The day: ten acquires a second, of which some wait, some give up, three in four are released and one expires; stretches of four hours.",
  ],
});
