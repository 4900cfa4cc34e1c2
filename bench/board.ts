/** Boards: a pull and a finish among many cards, how many pullers a freed place wakes, what watchers cost workers. */

import { BOARD, connectLoad, type Load, STAGES } from "./board/load.ts";
import { handOn, pullAndFinish, SHARE } from "./board/sides.ts";
import { PART, snapshotParts } from "./board/snapshot.ts";
import { watch, watchUnread } from "./board/watchers.ts";
import { type MeasuredServer, pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const FEW = 100;
const MANY = 100_000;
const PULLERS = 1_000;
const UNREAD = 20;
const TURNS = { rounds: 15, warmUp: 3 };
/** Cards that go through a server in one round. */
const CARDS = 5_000;
const SERVED_TURNS = { rounds: 11, warmUp: 2 };

const waiting = await inTurns({ few: pullAndFinish({ backlog: FEW }), many: pullAndFinish({ backlog: MANY }) }, TURNS);
const ranked = await inTurns(
  {
    few: pullAndFinish({ backlog: FEW, priorities: true }),
    many: pullAndFinish({ backlog: MANY, priorities: true }),
  },
  TURNS,
);
const completed = await inTurns(
  { few: pullAndFinish({ completed: FEW }), many: pullAndFinish({ completed: MANY }) },
  TURNS,
);
const [one, crowd] = [handOn(1), handOn(PULLERS)];
const snapshots = await inTurns({ few: snapshotParts(PART), many: snapshotParts(MANY) }, TURNS);
const handed = await inTurns({ one: one.side, crowd: crowd.side }, TURNS);

/** µs of the server's CPU for a card. */
function cardCost(server: MeasuredServer, load: Load): Side {
  return async () => {
    const before = await server.usage();
    await load.passThrough(CARDS);
    return ((await server.usage()).cpu - before.cpu) / CARDS;
  };
}

pinLoad();
const config = `boards: [{ name: ${BOARD}, max_cards: 1000000, ${STAGES} }]\n`;
await using cleanup = new AsyncDisposableStack();
async function serve(): Promise<{ server: MeasuredServer; load: Load }> {
  const server = cleanup.use(await startMeasured(config));
  return { server, load: cleanup.use(await connectLoad(server.address)) };
}
const [none, read, unread] = [await serve(), await serve(), await serve()];
cleanup.use(watch(read.server.address));
for (let i = 0; i < UNREAD; i++) cleanup.use(watchUnread(unread.server.address));
const served = await inTurns(
  {
    none: cardCost(none.server, none.load),
    read: cardCost(read.server, read.load),
    unread: cardCost(unread.server, unread.load),
  },
  SERVED_TURNS,
);
const heap = async ({ server }: { server: MeasuredServer }) => (await server.usageCollected()).heap;
const kept = ((await heap(unread)) - (await heap(none))) / UNREAD / 1024;

const { freed, served: woken, overtaken } = crowd.tally;
report({
  name: "board",
  figures: [
    { what: "a pull and a finish, 100 cards waiting", unit: "ns", spread: spreadOf(waiting.few) },
    { what: "— 100,000 to 100", unit: "×", spread: ratioOf(waiting.many, waiting.few), target: atMost(2) },
    { what: "the same, of any priority", unit: "ns", spread: spreadOf(ranked.few) },
    { what: "— 100,000 to 100", unit: "×", spread: ratioOf(ranked.many, ranked.few), target: atMost(2) },
    { what: "the same, 100 completed cards kept", unit: "ns", spread: spreadOf(completed.few) },
    { what: "— 100,000 to 100", unit: "×", spread: ratioOf(completed.many, completed.few), target: atMost(2) },
    {
      what: `woken for one freed place, ${PULLERS} waiting`,
      unit: "",
      spread: spreadOf([woken / freed]),
      target: atMost(1),
    },
    { what: "— served before an earlier puller", unit: "", spread: spreadOf([overtaken]), target: atMost(0) },
    { what: "a finish, the next pull, a newcomer in the queue; 1 waiting", unit: "ns", spread: spreadOf(handed.one) },
    { what: `— ${PULLERS} to 1`, unit: "×", spread: ratioOf(handed.crowd, handed.one), target: atMost(1.3) },
    { what: "server CPU for a card, no watchers", unit: "µs", spread: spreadOf(served.none) },
    {
      what: `— ${UNREAD} watch and never read`,
      unit: "×",
      spread: ratioOf(served.unread, served.none),
      target: atMost(1.1),
    },
    { what: "— one watches and reads", unit: "×", spread: ratioOf(served.read, served.none) },
    { what: "heap for a watcher that never reads", unit: "KiB", spread: spreadOf([kept]) },
    {
      what: "a message of 1,000 cards for a newcomer",
      unit: "ms",
      spread: spreadOf(snapshots.few.map((nanos) => nanos / 1e6)),
    },
    { what: "— each of the 100 on a board of 100,000", unit: "×", spread: ratioOf(snapshots.many, snapshots.few) },
  ],
  notes: [
    `${SHARE} operations a round of the machine, CPU time of its thread; ${freed} places freed.`,
    `${CARDS} cards a round of a server: AddCard, TryPullCard, FinishCard; ${pinning()}.`,
  ],
});
