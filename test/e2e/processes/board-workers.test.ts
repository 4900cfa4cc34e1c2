/** A board under a crowd of workers of all kinds, as an independent watcher sees it. */

import { expect, test } from "vitest";
import { type Card, CardState } from "../../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { createDice, type Dice } from "../../server/machine/dice.ts";
import { add, BOARD, boardOf, layoutOf } from "../../support/board.ts";
import { type BoardView, watchBoard } from "../../support/board-view.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { startServerProcess } from "../../support/server-process.ts";
import { startCrowd } from "../support/board-crowd.ts";
import type { Fate } from "../support/board-worker.ts";

const WORKERS = { InProgress: 28, Review: 22 };
const CARDS = Array.from({ length: 150 }, (_, i) => `card-${i}`);
const LIMITS = { Ready: 10, InProgress: 8, Review: 5 };
const DEALT = {
  crash: 12,
  "finish-and-crash": 6,
  vanish: 12,
  cancel: 8,
  "give-back": 8,
  "send-back": 12,
} as const satisfies Partial<Record<Fate, number>>;
/** A dead peer is found after 3 s, and its card is free 2 s later: a machine that is busy does not make one of a living. */
const SERVER = `
liveness: { keepalive_time: 1s, keepalive_timeout: 2s }
boards:
  - name: ${BOARD}
    ttl: 2s
    max_attempts: 100
    stages:
      - { name: Backlog }
      - { name: Ready, kind: QUEUE, wip_limit: ${LIMITS.Ready} }
      - { name: InProgress, wip_limit: ${LIMITS.InProgress} }
      - { name: Review, wip_limit: ${LIMITS.Review} }
      - { name: Done }`;

/** What is wrong with a board, as it was seen after one message. */
function createInspector(): { look(view: BoardView): void; readonly complaints: readonly string[] } {
  const complaints: string[] = [];
  const completed = new Map<string, Card>();
  let sequence = 0n;
  return {
    complaints,
    look({ board, cards, sequence: now }) {
      if (now < sequence) complaints.push(`change ${now} came after ${sequence}`);
      sequence = now;
      if (cards.size !== CARDS.length) complaints.push(`${now}: ${cards.size} cards`);
      for (const { name, wipLimit, status } of board.stages) {
        const count = [...cards.values()].filter(({ stage }) => stage === name).length;
        if (count !== status?.cards) complaints.push(`${now}: ${name} has ${count} cards, and says ${status?.cards}`);
        if (wipLimit !== undefined && count > wipLimit) complaints.push(`${now}: ${name} has ${count} cards`);
      }
      for (const card of cards.values()) {
        const before = completed.get(card.id);
        if (before !== undefined && card.etag !== before.etag)
          complaints.push(`${now}: ${card.id} was completed before`);
        if (card.state === CardState.COMPLETED) completed.set(card.id, card);
        if (card.result === "stale") complaints.push(`${now}: ${card.id} has the result of a stale finish`);
      }
    },
  };
}

test("50 processes pull, finish, crash and vanish: the limits hold at every instant, and each card is done once", {
  timeout: 120_000,
}, async () => {
  await using server = await startServerProcess(SERVER);
  await using client = createGrpcClient(server.address);
  await add(client, ...CARDS);
  const steady = createInspector();
  const restless = createInspector();
  const view = await watchBoard(client, { onMessage: steady.look });
  const other = await watchBoard(client, {
    onMessage(seen) {
      restless.look(seen);
      if (seen.messages % 5 === 0) queueMicrotask(seen.reconnect);
    },
  });

  await using crowd = await startCrowd({
    address: server.address,
    workers: WORKERS,
    fates: deal(createDice(1)),
    dice: createDice(2),
    untilLost: ({ cardId, fencingToken }) =>
      view.until(({ cards }) => {
        const lease = cards.get(cardId)?.lease;
        if (lease === undefined) return false;
        return lease.fencingToken > fencingToken || (lease.fencingToken === fencingToken && !lease.live);
      }),
  });
  for (const each of [view, other]) {
    await each.until(({ board }) => board.status?.completedCount === BigInt(CARDS.length));
  }
  const vanished = await crowd.untilConcluded("vanish", DEALT.vanish);
  await crowd.dismiss();

  // What the books say, as both have seen it.
  expect(steady.complaints).toEqual([]);
  expect(restless.complaints).toEqual([]);
  expect(other.snapshots).toBe(1);
  const { status } = await boardOf(client);
  expect(status).toMatchObject({ cards: 0, completed: CARDS.length, completedCount: BigInt(CARDS.length) });
  const { Done = [], ...others } = await layoutOf(client);
  expect(others).toEqual({});
  expect(Done.toSorted()).toEqual(CARDS.toSorted());

  // What the workers say.
  expect(crowd.started).toBe(50 + DEALT.crash + DEALT["finish-and-crash"]);
  expect(crowd.doubles).toEqual([]);
  for (const [stage, limit] of [
    ["InProgress", LIMITS.InProgress],
    ["Review", LIMITS.Review],
  ] as const) {
    expect(crowd.most[stage]).toBeGreaterThan(1);
    expect(crowd.most[stage]).toBeLessThanOrEqual(limit);
  }
  expect(new Set(vanished.map(({ refusal }) => refusal))).toEqual(new Set(["STALE_FENCING_TOKEN"]));
  const reviewed = crowd.deeds.filter(
    ({ stage, fate, refusal }) => stage === "Review" && fate === "finish" && !refusal,
  );
  expect(new Set(reviewed.map(({ cardId }) => cardId)).size).toBe(reviewed.length);
});

/** Each of the dealt fates, in any order, and as many cards that are simply finished among them. */
function deal(dice: Dice): Fate[] {
  const dealt = Object.entries(DEALT).flatMap(([fate, count]) => Array.from({ length: count }, () => fate as Fate));
  const deck = [...dealt, ...dealt.map((): Fate => "finish")].map((fate) => ({ fate, at: dice.roll(1_000_000) }));
  return deck.sort((a, b) => a.at - b.at).map(({ fate }) => fate);
}
