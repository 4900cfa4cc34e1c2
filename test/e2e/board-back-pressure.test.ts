/** What a stage that does not keep up does to those before it, and where one sees that. */

import { expect, test } from "vitest";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { add, boardOf, finish, noneNow, pulled, queue, stagesOf, take, work } from "../support/board.ts";
import { watchBoard } from "../support/board-view.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { startTestServer } from "../support/server.ts";

const RELEASE = "boards: [{ name: release }]";

async function countsOf(client: ContractClient): Promise<readonly number[]> {
  return Object.values(await stagesOf(client)).map(({ cards }) => cards);
}

async function bottleneckOf(client: ContractClient): Promise<string> {
  return (await boardOf(client)).status.bottleneck;
}

test("with Review stopped, InProgress and then Ready fill, Ready stops pulling, Backlog grows: Review is the bottleneck", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const view = await watchBoard(server.grpc());
  const ids = Array.from({ length: 14 }, (_, i) => `c${i}`);
  await add(client, ...ids.slice(0, 6));
  // All workers are busy: five stand ready, and one waits for room there.
  expect(await countsOf(client)).toEqual([1, 5, 0, 0, 0]);
  // They are not pulled, and that is InProgress's doing.
  expect(await bottleneckOf(client)).toBe("InProgress");

  // Reviewers take two cards and stop; the others go on as long as they can.
  for (let i = 0; i < 2; i += 1) {
    await finish(client, await work(client, "InProgress"));
    await take(client, { stage: "Review", worker: "on holiday" });
  }
  for (let i = 0; i < 3; i += 1) await finish(client, await work(client, "InProgress"));
  expect(await countsOf(client)).toEqual([0, 1, 3, 2, 0]);
  await add(client, ...ids.slice(6));
  const idle = await queue(client, "InProgress");

  expect(await countsOf(client)).toEqual([4, 5, 3, 2, 0]);
  expect(await bottleneckOf(client)).toBe("Review");
  expect((await stagesOf(client)).InProgress).toMatchObject({ cards: 3, finished: 3, active: 0, pullers: 1 });
  expect(await noneNow(client, "Review")).toBe(Reason.STAGE_FULL);
  await add(client, "more", "and-more");
  expect(await countsOf(client)).toEqual([6, 5, 3, 2, 0]);
  await view.until(({ board }) => board.status?.bottleneck === "Review" && board.stages[0]?.status?.cards === 6);

  // One review finished, and one begun: a place moves from the end of the board to its beginning in one step.
  await finish(client, { cardId: "c0", fencingToken: 0n });
  await work(client, "Review");
  expect(await pulled(idle)).toMatchObject({ cardId: "c5" });
  expect(await countsOf(client)).toEqual([5, 5, 3, 2, 1]);
  // InProgress is at work again, and full; but what it has finished still waits for Review.
  expect(await bottleneckOf(client)).toBe("Review");
});

test("a stage that works as much as it may is the bottleneck if work piles up before it, and not before", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const ids = Array.from({ length: 8 }, (_, i) => `c${i}`);
  await add(client, ...ids.slice(0, 7));
  for (let i = 0; i < 3; i += 1) await work(client, "InProgress");
  expect(await countsOf(client)).toEqual([0, 4, 3, 0, 0]);
  expect(await bottleneckOf(client)).toBe("");
  await add(client, ...ids.slice(7));
  expect(await countsOf(client)).toEqual([0, 5, 3, 0, 0]);
  expect(await bottleneckOf(client)).toBe("InProgress");
});
