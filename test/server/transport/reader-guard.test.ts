import type { ClientHttp2Session } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createReaderGuard } from "../../../src/server/transport/http2/reader-guard.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService, waiting } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf, ping } from "./support/http2-client.ts";
import { startGrpc, startWeb } from "./support/ports.ts";

const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "l" }] })));
const ACQUIRE = pathOf(AdmissionService.method.acquire);
const LIVENESS = { keepaliveTime: 10_000_000, keepaliveTimeout: 5_000_000 };
const PATIENCE = LIVENESS.keepaliveTime + LIVENESS.keepaliveTimeout;
const BYTE = 1_000;

/** Resolves when the server has also seen the answers to what it had asked before. */
async function settle(session: ClientHttp2Session): Promise<void> {
  await ping(session);
  await ping(session);
}

const PORTS = [
  ["gRPC", startGrpc, "application/grpc"],
  ["web", startWeb, "application/connect+proto"],
] as const;

test.each(PORTS)(
  "%s: a stream that opens no window is cut, as lost; one beside it on the same connection is not",
  async (_name, start, type) => {
    const clock = createFakeClock();
    const held = createHeldService();
    const { address } = await start([held.service], { clock, liveness: LIVENESS });
    // A window for headers alone.
    const session = connectHttp2(address, { settings: { initialWindowSize: 0 } });
    const stuck = openGrpcCall(session, ACQUIRE, { "content-type": type });
    stuck.end(REQUEST);
    const stuckOutcome = outcomeOf(stuck);
    const { ended } = await held.acquires.next();
    await ping(session);
    session.settings({ initialWindowSize: 65_535 });
    await ping(session);
    session.settings({ initialWindowSize: 0 });
    await ping(session);
    // What had waited has left by now; what comes has no window, since the other took none.
    const reading = openGrpcCall(session, ACQUIRE, { "content-type": type });
    reading.end(REQUEST);
    const second = await held.acquires.next();
    await settle(session);
    clock.advance(LIVENESS.keepaliveTime);
    await settle(session);
    clock.advance(LIVENESS.keepaliveTimeout - 1_000_000);
    let over = 0;
    for (const each of [ended, second.ended]) each.then(() => (over += 1));
    await ping(session);
    expect(over).toBe(0);
    clock.advance(2_000_000);
    expect(await second.ended).toBe("lost");
    expect(await outcomeOf(reading)).toMatchObject({ status: undefined });
    await ping(session);
    expect(over).toBe(1);
    stuck.close();
    await stuckOutcome;
    expect(await ended).toBe("cancelled");
  },
);

test("each byte that is owed buys time, what leaves stops the clock, and what is said later starts it anew", () => {
  const clock = createFakeClock();
  const guard = createReaderGuard(clock, LIVENESS);
  const stuck: string[] = [];
  const small = guard.watch(() => stuck.push("small"));
  const large = guard.watch(() => stuck.push("large"));
  const quick = guard.watch(() => stuck.push("quick"));
  const over = guard.watch(() => stuck.push("over"));
  large.owe(4_000_000);
  small.owe(1);
  quick.owe(1);
  over.owe(1);
  clock.advance(PATIENCE - 1);
  quick.owe(0);
  quick.owe(1);
  over.stop();
  over.owe(1);
  expect(stuck).toEqual([]);
  // Looked at ten times in a patience at most.
  clock.advance(BYTE + 1 + PATIENCE / 10);
  expect(stuck).toEqual(["small"]);
  quick.owe(0);
  clock.advance(4_000_000 * BYTE + PATIENCE / 10);
  expect(stuck).toEqual(["small", "large"]);
  clock.advance(10 * PATIENCE);
  expect(stuck).toEqual(["small", "large"]);
  expect(clock.scheduled).toBe(0);
});

test("a message that waits behind one that left has its own time", async () => {
  const clock = createFakeClock();
  const held = createHeldService();
  const { address } = await startGrpc([held.service], { clock, liveness: LIVENESS });
  const session = connectHttp2(address, { settings: { initialWindowSize: 0 } });
  const call = openGrpcCall(session, ACQUIRE);
  call.end(REQUEST);
  const { stream, ended } = await held.acquires.next();
  stream.send(waiting(7));
  await settle(session);
  clock.advance(PATIENCE / 2);
  // Room for the first, and not for the second whole; the client does not read, so there will be no more.
  session.settings({ initialWindowSize: 8 });
  await settle(session);
  clock.advance(LIVENESS.keepaliveTime - PATIENCE / 2);
  await settle(session);
  clock.advance(LIVENESS.keepaliveTimeout + 1_000_000);
  let isOver = false;
  ended.then(() => (isOver = true));
  await ping(session);
  expect(isOver).toBe(false);
  clock.advance(LIVENESS.keepaliveTime - 2_000_000);
  await settle(session);
  clock.advance(LIVENESS.keepaliveTimeout);
  expect(await ended).toBe("lost");
  await outcomeOf(call);
});
