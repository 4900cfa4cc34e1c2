/**
 * Holders that say nothing while their connection lives, as a proxy has it whose client went without a word: what a request with
 * `keep_on_cancel` holds ends a ttl after its last renewal.
 */

import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { acquire, held, hold, queue } from "../support/acquire.ts";
import { add, BOARD, cardOf, work } from "../support/board.ts";
import { connect } from "../support/connect.ts";
import { statusOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const SERVER = `
limiters: [{ name: db, max_concurrent: 1 }]
boards: [{ name: ${BOARD}, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }] }]
`;
const TTL = { seconds: 1n };
const request = { claims: [{ limiter: "db" }], ttl: TTL, keepOnCancel: true };

test("a lease is free a ttl after its grant, whether it was granted at once or waited for", async () => {
  await using server = await startTestServer(SERVER);
  const first = await hold(server.grpc(), request);
  const second = await queue(server.grpc(), request);
  const third = await queue(server.grpc(), "db");
  expect(await first.ending).toMatchObject({ reason: "LEASE_EXPIRED" });
  await held(second);
  expect(await second.ending).toMatchObject({ reason: "LEASE_EXPIRED" });
  await third.next("granted");
});

test("a renewal gives it another ttl; a lease that is taken up again needs renewals as before", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const { leaseId, secret } = await hold(client, request);
  for (let i = 0; i < 6; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { results } = await client.call(AdmissionService.method.renew, { leases: [{ leaseId, secret }] });
    expect(results).toMatchObject([{ result: { case: "renewed" } }]);
  }
  const again = await hold(server.grpc(), { resume: { leaseId, secret }, keepOnCancel: true });
  expect(await again.ending).toMatchObject({ reason: "LEASE_EXPIRED" });
});

test("control: without it the stream is the lease, as long as its connection answers pings", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const { leaseId, secret } = await hold(client, { ...request, keepOnCancel: false });
  const waiter = acquire(server.grpc(), { ...request, maxWait: { seconds: 3n } });
  expect(await waiter.ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
  await client.call(AdmissionService.method.release, { leaseId, secret });
});

test("a card goes back to its stage a ttl after its pull, unless its work is renewed", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  await add(client, { id: "silent" });
  await add(client, { id: "renewed" });
  const pull = { board: BOARD, stage: "Doing", ttl: TTL, keepOnCancel: true };
  const silent = await work(client, pull);
  const renewed = await work(server.grpc(), pull);
  const { cardId, fencingToken } = renewed;
  let isOver = false;
  void silent.ending.then(() => {
    isOver = true;
  });
  for (let i = 0; i < 6 || !isOver; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await client.call(BoardService.method.renewCards, { board: BOARD, cards: [{ cardId, fencingToken }] });
  }
  expect(await silent.ending).toMatchObject({ code: expect.any(Number) });
  expect(await cardOf(client, silent.cardId)).toMatchObject({ lease: { live: false } });
  expect(await cardOf(client, cardId)).toMatchObject({ lease: { live: true, fencingToken } });
});

test("a holder of this package's client renews, and keeps its lease over many ttls", async () => {
  await using server = await startTestServer(SERVER);
  await using client = connect(server.address);
  const lease = await client.acquire("db", { ttl: 1_000 });
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  expect(lease.valid).toBe(true);
  expect(await statusOf(server.grpc(), "db")).toMatchObject({ leases: 1n, orphanedLeases: 0n });
});
