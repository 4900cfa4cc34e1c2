/** How a server stops while people work on its boards. */

import { expect, test } from "vitest";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { add, BOARD, finish, pull, queue, take, work } from "../../support/board.ts";
import { Code, failureOf } from "../../support/call-failure.ts";
import { createConnectClient } from "../../support/connect-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { microsOf, nowMicros } from "../../support/look.ts";
import { startServerProcess } from "../../support/server-process.ts";

const { renewCards, tryPullCard } = BoardService.method;

const BOARDS = "boards: [{ name: release, ttl: 60s }]";
const DRAINING = { code: Code.Unavailable, reason: "DRAINING", retryDelay: 1000 };
const STOPPED = { code: 0, signal: null };
/** µs by which the wall clocks of two processes may differ. */
const CLOCKS = 200_000;

test.concurrent("SIGTERM refuses pullers that wait, lets workers finish, and ends after the last", async () => {
  await using server = await startServerProcess(`drain: { timeout: 50s }\n${BOARDS}`);
  await using client = createGrpcClient(server.address);
  await add(client, "a", "b");
  const held = await work(client, "InProgress");
  const waiter = await queue(client, "Review");
  const signalled = nowMicros();
  server.signal("SIGTERM");
  expect(await waiter.ending).toMatchObject(DRAINING);
  const { endTime } = await held.next("draining");
  expect(microsOf(endTime) - signalled).toBeGreaterThan(50e6 - CLOCKS);

  // A worker's connection may break now as well as ever, so new ones are taken, too.
  await using another = createGrpcClient(server.address);
  await using web = createConnectClient(server.url, { protocol: "connect", httpVersion: "1.1" });
  const { cardId, fencingToken } = held;
  for (const each of [client, another, web]) {
    expect(await pull(each, "InProgress").ending).toMatchObject(DRAINING);
    expect(await failureOf(each.call(tryPullCard, { board: BOARD, stage: "InProgress" }))).toMatchObject(DRAINING);
    expect(await each.call(renewCards, { board: BOARD, cards: [{ cardId, fencingToken }] })).toMatchObject({
      results: [{ result: { case: "renewed" } }],
    });
  }
  const resumed = await work(another, { stage: "InProgress", resume: { cardId, fencingToken } });
  await finish(web, resumed, "in time");
  expect(await resumed.ending).toBeUndefined();
  expect(await server.exited).toEqual(STOPPED);
});

test.concurrent("a person's card, which may take for ever, keeps no server from stopping; one with a ttl does", async () => {
  await using server = await startServerProcess(`drain: { timeout: 50s }\n${BOARDS}`);
  await using client = createGrpcClient(server.address);
  await add(client, "a", "b");
  await take(client, "InProgress");
  const { card } = await take(client, { stage: "InProgress", ttl: { nanos: 700e6 } });
  server.signal("SIGTERM");
  expect(await server.exited).toEqual(STOPPED);
  expect(nowMicros()).toBeGreaterThan(microsOf(card.lease?.expireTime) - CLOCKS);
});

test.concurrent("when the time for it has passed the server ends, work or not", async () => {
  await using server = await startServerProcess(`drain: { timeout: 500ms }\n${BOARDS}`);
  await using client = createGrpcClient(server.address);
  await add(client, "a");
  const held = await work(client, "InProgress");
  server.signal("SIGTERM");
  await held.next("draining");
  expect(await held.ending).toMatchObject({ code: Code.Unavailable });
  expect(await server.exited).toEqual(STOPPED);
});
