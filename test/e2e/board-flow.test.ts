/** The figures of how work flows over a board. */

import type { Duration } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { add, BOARD, boardOf, cardOf, finish, queue, stagesOf, take } from "../support/board.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { microsOf, nowMicros } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { getFlow } = BoardService.method;

const RELEASE = "boards: [{ name: release }]";

function seconds(duration: Duration | undefined): number {
  if (duration === undefined) throw new Error("there is no duration");
  return Number(duration.seconds) + duration.nanos / 1e9;
}

/** Pulls the best card and finishes it, through the whole of the board. */
async function complete(client: ContractClient): Promise<void> {
  for (const stage of ["InProgress", "Review"]) await finish(client, await take(client, stage));
}

/** Lets time pass by the server's own clock. */
async function pass(client: ContractClient, nanos: number): Promise<void> {
  const timer = await queue(client, { stage: "Review", maxWait: { nanos } });
  await timer.ending;
}

test("λ and μ are cards an hour, in and out, of each stage and of the board", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c");
  await complete(client);
  const { Backlog, Ready, InProgress, Review, Done } = await stagesOf(client);
  // For a minute the rate is that of a whole minute: one card is sixty an hour.
  expect([Backlog, Ready, InProgress, Review, Done].map((stage) => [stage?.arrivalRate, stage?.departureRate])).toEqual(
    [
      [180, 180],
      [180, 60],
      [60, 60],
      [60, 60],
      [60, 0],
    ],
  );
  expect((await boardOf(client)).status).toMatchObject({
    arrivalRate: 180,
    throughput: 60,
    cards: 2,
    completed: 1,
    addedCount: 3n,
    completedCount: 1n,
  });
});

test("W is how long cards stayed, in a stage and on the board; L = λW stands beside the measured L", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const held = await take(client, "InProgress");
  await pass(client, 300e6);
  await finish(client, held);
  const { InProgress } = await stagesOf(client);
  expect(InProgress?.cycleTime).toMatchObject({ count: 0n });
  expect(InProgress?.cycleTime?.mean).toBeUndefined();
  await finish(client, await take(client, "Review"));

  const { stages, status } = await boardOf(client);
  const cycle = stages[2]?.status?.cycleTime;
  expect(cycle).toMatchObject({ count: 1n });
  const mean = seconds(cycle?.mean);
  expect(mean).toBeGreaterThanOrEqual(0.3);
  for (const percentile of [cycle?.p50, cycle?.p85, cycle?.p95]) {
    expect(seconds(percentile)).toBeGreaterThanOrEqual(mean);
    expect(seconds(percentile)).toBeLessThanOrEqual(mean * 1.1);
  }
  expect(stages[2]?.status?.expectedCards).toBeCloseTo((60 * mean) / 3600, 6);
  const lead = seconds(status.leadTime?.mean);
  expect(lead).toBeGreaterThanOrEqual(mean);
  expect(status.expectedCards).toBeCloseTo((status.arrivalRate * lead) / 3600, 6);
  expect(seconds((await cardOf(client, "a")).age)).toBeCloseTo(lead, 6);
});

test("each card has its age on the board and in its stage, and how long it was blocked; a stage has its oldest", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b");
  await client.call(BoardService.method.blockCard, { board: BOARD, cardId: "a", reason: "waits" });
  await pass(client, 200e6);
  await client.call(BoardService.method.unblockCard, { board: BOARD, cardId: "a" });
  await take(client, { stage: "InProgress", cardId: "b" });
  const [a, b] = [await cardOf(client, "a"), await cardOf(client, "b")];
  expect(seconds(a.blockedTime)).toBeGreaterThanOrEqual(0.2);
  expect(seconds(a.blockedTime)).toBeLessThanOrEqual(seconds(a.age));
  expect(b.blockedTime).toBeUndefined();
  expect(seconds(b.age)).toBeGreaterThan(0.2);
  expect(seconds(b.stageAge)).toBeLessThan(seconds(b.age) - 0.2);
  const { Ready, InProgress, Review } = await stagesOf(client);
  expect(seconds(Ready?.oldestAge)).toBeGreaterThanOrEqual(seconds(a.stageAge));
  expect(seconds(InProgress?.oldestAge)).toBeLessThan(seconds(Ready?.oldestAge));
  expect(Review?.oldestAge).toBeUndefined();
});

test("completions are counted by day, in UTC", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const dayBefore = new Date().toISOString().slice(0, 10);
  await add(client, "a", "b");
  await complete(client);
  await complete(client);
  const { completedByDay } = (await boardOf(client)).status;
  const days = new Set([dayBefore, new Date().toISOString().slice(0, 10)]);
  expect(completedByDay.reduce((sum, { count }) => sum + count, 0)).toBe(2);
  for (const { day } of completedByDay) expect(days).toContain(day);
});

test("the cumulative flow has a column for each stage, and samples in order of time", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b");
  await complete(client);
  const { stages, samples } = await client.call(getFlow, { name: BOARD });
  expect(stages).toEqual(["Backlog", "Ready", "InProgress", "Review", "Done"]);
  expect(samples.length).toBeGreaterThan(0);
  for (const { cards } of samples) expect(cards).toHaveLength(5);
  const times = samples.map(({ time }) => microsOf(time));
  expect(times).toEqual(times.toSorted((one, other) => one - other));

  const future = { seconds: BigInt(Math.ceil(nowMicros() / 1e6) + 60) };
  expect((await client.call(getFlow, { name: BOARD, fromTime: future })).samples).toEqual([]);
  const past = { seconds: 0n };
  expect((await client.call(getFlow, { name: BOARD, fromTime: past })).samples.length).toBe(samples.length);
  expect(await failureOf(client.call(getFlow, { name: "nowhere" }))).toMatchObject({
    code: Code.NotFound,
    reason: "BOARD_NOT_FOUND",
  });
});
