/** Work that goes back upstream, and a board that it cannot lock. */

import { expect, test } from "vitest";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import {
  add,
  cardOf,
  finish,
  layoutOf,
  noneNow,
  pulled,
  queue,
  sendBack,
  stagesOf,
  take,
  work,
} from "../support/board.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { startTestServer } from "../support/server.ts";

const { ACTIVE, SENT_BACK, WAITING } = CardState;

const RELEASE = "boards: [{ name: release }]";

/** Pulls the best card through InProgress into Review. */
async function review(client: ContractClient) {
  await finish(client, await take(client, "InProgress"));
  return work(client, "Review");
}

test("a card that is sent back counts where it stands until the stage upstream pulls it, before anything new", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", { id: "urgent", priority: -9 });
  const reviewer = await review(client);
  expect(reviewer.cardId).toBe("a");
  expect(await sendBack(client, reviewer, "no tests")).toMatchObject({
    stage: "Review",
    state: SENT_BACK,
    reason: "no tests",
  });
  expect(await reviewer.ending).toBeUndefined();
  expect((await stagesOf(client)).Review).toMatchObject({ cards: 1, sentBack: 1, active: 0 });
  // It is neither pulled where it stands, nor on from there.
  expect(await noneNow(client, "Review")).toBe(Reason.NO_CARD);

  await add(client, { id: "more-urgent", priority: 9 });
  const again = await work(client, "InProgress");
  expect(again).toMatchObject({ cardId: "a", card: { stage: "InProgress", reason: "no tests", attempt: 1 } });
  expect(await layoutOf(client)).toMatchObject({ InProgress: ["a"], Ready: ["urgent", "more-urgent"] });
});

test("a puller that waits upstream gets what is sent back at the same instant", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const reviewer = await review(client);
  const waiting = await queue(client, { stage: "InProgress", worker: "ann" });
  expect(await sendBack(client, reviewer)).toMatchObject({
    stage: "InProgress",
    state: ACTIVE,
    lease: { worker: "ann" },
  });
  expect(await pulled(waiting)).toMatchObject({ cardId: "a" });
});

test("what is sent back to a queue that pulls by itself, or to the first stage, goes there by itself", async () => {
  await using server = await startTestServer(`
boards:
  - name: release
    stages: [{ name: Inbox }, { name: Draft }, { name: Drafts, kind: QUEUE }, { name: Edit }, { name: Out }]`);
  const client = server.grpc();
  await add(client, "a");
  await finish(client, await take(client, "Draft"));
  const edited = await take(client, "Edit");
  expect(await sendBack(client, edited)).toMatchObject({ stage: "Drafts", state: WAITING });
  await add(client, "b");
  const draft = await take(client, "Draft");
  expect(await sendBack(client, draft)).toMatchObject({ id: "b", stage: "Inbox", state: WAITING });
  // It is the best card of the first stage again, and it has not lost its age.
  expect(await take(client, "Draft")).toMatchObject({ cardId: "b" });
});

test("with both stages full a pull exchanges: rework goes up, finished work comes down, and both counts stay", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c", "d", "e", "f");
  const reviewers = [await review(client), await review(client)];
  for (let i = 0; i < 3; i += 1) await finish(client, await take(client, "InProgress"));
  for (const reviewer of reviewers) await sendBack(client, reviewer, "again");
  expect(await layoutOf(client)).toEqual({ Review: ["a", "b"], InProgress: ["c", "d", "e"], Ready: ["f"] });
  // InProgress is full of finished work, and Review of work sent back: upstream no worker can pull.
  expect(await noneNow(client, "InProgress")).toBe(Reason.STAGE_FULL);

  const exchanged = await work(client, "Review");
  expect(exchanged).toMatchObject({ cardId: "c", card: { state: ACTIVE } });
  expect(await cardOf(client, "a")).toMatchObject({ stage: "InProgress", state: WAITING, reason: "again" });
  const stages = await stagesOf(client);
  expect(stages.Review).toMatchObject({ cards: 2, active: 1, sentBack: 1 });
  expect(stages.InProgress).toMatchObject({ cards: 3, waiting: 1, finished: 2 });
  expect(await take(client, "InProgress")).toMatchObject({ cardId: "a" });
});

test("rework goes round and round with every stage full, and everything is done in the end", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
  await add(client, ...ids);
  const sentBack = new Map<string, number>();
  let completed = 0;
  for (let round = 0; round < 100 && completed < ids.length; round += 1) {
    for (const stage of ["InProgress", "InProgress", "InProgress", "Review", "Review"]) {
      const held = await take(client, stage).catch(() => undefined);
      if (held === undefined) continue;
      const times = sentBack.get(held.cardId) ?? 0;
      if (stage === "Review" && times < 2) {
        sentBack.set(held.cardId, times + 1);
        await sendBack(client, held);
      } else {
        await finish(client, held);
        if (stage === "Review") completed += 1;
      }
    }
  }
  expect((await layoutOf(client)).Done?.toSorted()).toEqual(ids);
});
