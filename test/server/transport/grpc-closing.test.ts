import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { draining } from "../../../src/server/wire/error-wire.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf } from "./support/http2-client.ts";
import { startGrpc } from "./support/ports.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "l" }] })));
const SOON = { keepaliveTime: 100_000, keepaliveTimeout: 300_000 };

test("a port that drains takes no connections, sends the idle ones away and lets open calls go on", async () => {
  const held = createHeldService();
  const { address, port, transport } = await startGrpc([held.service], { liveness: SOON });
  const idle = connectHttp2(address);
  await once(idle, "connect");
  const proxy = await startTcpProxy(port);
  const busy = connectHttp2(proxy.address);
  const call = openGrpcCall(busy, ACQUIRE);
  call.end(REQUEST);
  const { stream } = await held.acquires.next();
  const goaway = once(busy, "goaway");
  transport.drain();
  transport.drain();
  expect((await goaway)[0]).toBe(0);
  await once(idle, "close");
  const [refused] = await once(connectTcp(port, "127.0.0.1"), "error");
  expect(refused.code).toBe("ECONNREFUSED");
  // Longer than the time of a keepalive: a connection that drains is probed as any is, and lives.
  await proxy.fromClient(5 * 9);
  expect(held.endings).toEqual([]);
  stream.end();
  expect(await outcomeOf(call)).toMatchObject({ status: "0" });
  await once(busy, "close");
});

test("a connection that drains and becomes a black hole is lost as any is", async () => {
  const held = createHeldService();
  const { port, transport } = await startGrpc([held.service], { liveness: SOON });
  const proxy = await startTcpProxy(port);
  openGrpcCall(connectHttp2(proxy.address), ACQUIRE).end(REQUEST);
  const { ended } = await held.acquires.next();
  transport.drain();
  proxy.blackHole();
  expect(await ended).toBe("lost");
});

test("what is said just before a port closes arrives, and what is still open is lost", async () => {
  const held = createHeldService();
  const { address, transport } = await startGrpc([held.service]);
  const session = connectHttp2(address);
  const calls = [0, 1].map(() => openGrpcCall(session, ACQUIRE));
  for (const call of calls) call.end(REQUEST);
  const outcomes = Promise.all(calls.map(outcomeOf));
  const [failed, open] = [await held.acquires.next(), await held.acquires.next()];
  failed.stream.fail(draining(1_000_000));
  const closed = transport.close();
  expect(await open.ended).toBe("lost");
  await closed;
  expect((await outcomes).map(({ status }) => status).sort()).toEqual(["14", undefined]);
  expect(held.endings).toEqual(["lost"]);
});

test("a port that closes waits for last words, then ends its connections, and for none of them longer", async () => {
  const clock = createFakeClock();
  const held = createHeldService();
  const { address, port, transport } = await startGrpc([held.service], { clock });
  openGrpcCall(connectHttp2(address), ACQUIRE).end(REQUEST);
  const { ended } = await held.acquires.next();
  const closed = transport.close();
  clock.advance(50_000);
  expect(await ended).toBe("lost");
  await closed;
  expect((await once(connectTcp(port, "127.0.0.1"), "error"))[0].code).toBe("ECONNREFUSED");
});

test("a port closes also while a client reads nothing and while one says nothing", async () => {
  const held = createHeldService();
  const { address, port, transport } = await startGrpc([held.service]);
  const session = connectHttp2(address, { settings: { initialWindowSize: 0 } });
  openGrpcCall(session, ACQUIRE).end(REQUEST);
  const { stream } = await held.acquires.next();
  stream.end();
  const silent = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(silent, "connect");
  await transport.close();
  await transport.close();
  silent.destroy();
});

test("a port that never listened closes too", async () => {
  const { transport } = await startGrpc([]);
  await transport.close();
});
