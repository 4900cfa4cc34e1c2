import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { type AcquireCall, giveBack, type Hold, held, hold, queue } from "../support/acquire.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { roundTrip, statusOf, waitersOf } from "../support/look.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const { release, tryAcquire } = AdmissionService.method;

const ONE = "limiters: [{ name: db, max_concurrent: 1 }]";

/** A client of each kind. */
function clientsOf(server: TestServer): readonly ContractClient[] {
  return [
    server.grpc(),
    server.connect({ protocol: "connect", httpVersion: "2" }),
    server.connect({ protocol: "grpc-web", httpVersion: "2" }),
    server.connect({ protocol: "connect-json", httpVersion: "1.1" }),
  ];
}

function tokenOf({ granted }: Hold): bigint {
  return granted.lease?.claims[0]?.fencingToken ?? 0n;
}

test("the order of grants is the order of arrival, over every protocol, though some leave the queue", async () => {
  await using server = await startTestServer(ONE);
  const clients = clientsOf(server);
  const watcher = server.grpc();
  const first = await hold(watcher, "db");
  const waiters: { readonly client: ContractClient; readonly call: AcquireCall }[] = [];
  for (let i = 0; i < 40; i += 1) {
    const client = clients[i % clients.length] as ContractClient;
    waiters.push({ client, call: await queue(client, "db") });
  }
  const staying = waiters.filter((_, i) => i % 5 !== 2);
  for (const { call } of waiters) if (!staying.some((other) => other.call === call)) call.cancel();
  // Over HTTP/1.1 and HTTP/2 alike, a waiter that has left is out when the server has seen it.
  while ((await waitersOf(watcher, "db")).length > staying.length);

  await giveBack(watcher, first);
  const order: bigint[] = [tokenOf(first)];
  for (const { client, call } of staying) {
    const next = await held(call);
    order.push(tokenOf(next));
    await giveBack(client, next);
  }
  expect(order).toEqual([...order].sort((a, b) => Number(a - b)));
  expect(await statusOf(watcher, "db")).toMatchObject({ permitsInUse: 0n, waiters: 0n, grantedCount: 33n });
});

test("neither a newcomer nor a TryAcquire overtakes a waiter, however often it asks", async () => {
  await using server = await startTestServer(ONE);
  const [client, pusher] = [server.grpc(), server.grpc()];
  let holder = await hold(client, "db");
  const waiters = await Promise.all(Array.from({ length: 20 }, () => queue(client, "db")));
  const reasons = new Set<Reason>();
  let pushing = true;
  const push = async () => {
    while (pushing) {
      const { result } = await pusher.call(tryAcquire, { claims: [{ limiter: "db" }] });
      if (result.case === "granted") throw new Error("a TryAcquire has overtaken a waiter");
      reasons.add(result.value?.reason ?? Reason.UNSPECIFIED);
    }
  };
  const pushers = Promise.all(Array.from({ length: 8 }, push));
  for (const waiter of waiters.slice(0, -1)) {
    await giveBack(client, holder);
    holder = await held(waiter);
  }
  pushing = false;
  await pushers;
  expect([...reasons]).toEqual([Reason.WAITERS_AHEAD]);

  const newcomer = await queue(pusher, "db");
  await giveBack(client, holder);
  await giveBack(client, await held(waiters.at(-1) as AcquireCall));
  await newcomer.next("granted");
});

test("a large waiter at the head is not skipped, though smaller ones would fit", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 3 }]");
  const client = server.grpc();
  const holder = await hold(client, { claims: [{ limiter: "db", permits: 2 }] });
  const large = await queue(client, { claims: [{ limiter: "db", permits: 3 }] });
  const small = await queue(client, "db");
  expect(await client.call(tryAcquire, { claims: [{ limiter: "db" }] })).toMatchObject({
    result: { value: { reason: Reason.WAITERS_AHEAD, waitersAhead: 2 } },
  });
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 2n, waiters: 2n });
  await giveBack(client, holder);
  const next = await held(large);
  await roundTrip(client);
  expect(small.kinds).not.toContain("granted");
  await giveBack(client, next);
  await small.next("granted");
});

test("a freed permit goes to the head of the queue in the same step: the grant is there when the release is", async () => {
  await using server = await startTestServer(ONE);
  const client = server.grpc();
  let holder = await hold(client, "db");
  const waiters = await Promise.all(Array.from({ length: 50 }, () => queue(client, "db")));
  for (const waiter of waiters) {
    const { leaseId, secret } = holder;
    await client.call(release, { leaseId, secret });
    await roundTrip(client);
    // No timer has had its turn: one answer on the same connection is all that has come since.
    expect(waiter.kinds).toContain("granted");
    holder = await held(waiter);
  }
});

test.each([
  ["gRPC", undefined],
  ["Connect", { protocol: "connect", httpVersion: "2" }],
] as const)("it follows a cancel as closely, whenever that arrives: %s", async (_name, options) => {
  await using server = await startTestServer(ONE);
  const client = options === undefined ? server.grpc() : server.connect(options);
  let holder = await hold(client, "db");
  const waiters = await Promise.all(Array.from({ length: 50 }, () => queue(client, "db")));
  for (const waiter of waiters) {
    holder.cancel();
    // A library takes a turn or two of its loop to send a cancel, and the server's one to hear of it.
    for (let answers = 0; answers < 3; answers += 1) await roundTrip(client);
    expect(waiter.kinds).toContain("granted");
    holder = await held(waiter);
  }
});

test("no moment without a holder is ever seen while others wait, whether leases are released or cancelled", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 2 }]");
  const [client, watcher] = [server.grpc(), server.grpc()];
  const holders = [await hold(client, "db"), await hold(client, "db")];
  const waiters = await Promise.all(Array.from({ length: 60 }, () => queue(client, "db")));
  let watching = true;
  let looks = 0;
  const watch = async () => {
    while (watching) {
      const { permitsInUse, waiters } = await statusOf(watcher, "db");
      if (waiters > 0n && permitsInUse !== 2n) throw new Error(`${permitsInUse} of 2 in use, ${waiters} wait`);
      looks += 1;
    }
  };
  const watched = Promise.all([watch(), watch()]);
  for (const [index, waiter] of waiters.entries()) {
    const holder = holders.shift() as Hold;
    if (index % 2 === 0) holder.cancel();
    else await giveBack(client, holder);
    holders.push(await held(waiter));
  }
  watching = false;
  await watched;
  expect(looks).toBeGreaterThan(20);
});

test("a waiter hears how many are before it, and hears again when that has become fewer", async () => {
  await using server = await startTestServer(ONE);
  const client = server.grpc();
  const holder = await hold(client, "db");
  const waiters: AcquireCall[] = [];
  for (let i = 0; i < 3; i += 1) waiters.push(await queue(client, "db"));
  expect((await waitersOf(client, "db")).map(({ waitersAhead }) => waitersAhead)).toEqual([0, 1, 2]);
  await giveBack(client, holder);
  expect(await waiters[2]?.next("waiting")).toMatchObject({ waitersAhead: 1 });
});
