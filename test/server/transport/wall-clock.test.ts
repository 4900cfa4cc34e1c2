/** The wall clock is set while a call is under way: what its deadline leaves is counted by the monotonic clock alone. */

import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, expect, test, vi } from "vitest";
import { createSystemClock } from "../../../src/server/clock.ts";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
  TryAcquireResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall } from "./support/http2-client.ts";
import { type Port, startGrpc, startWeb } from "./support/ports.ts";
import { createWebClient, PROTOCOLS } from "./support/web-client.ts";

const GRANTED = create(TryAcquireResponseSchema, { result: { case: "granted", value: { secret: "s" } } });
const CLAIM = { claims: [{ limiter: "db" }] };
const HOUR = 3_600_000;
const MINUTE = 60_000_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The wall clock as tests set it: the operating system's, moved. */
function settableWallClock(): { setBy(ms: number): void } {
  const real = Date.now.bind(Date);
  let moved = 0;
  vi.spyOn(Date, "now").mockImplementation(() => real() + moved);
  return {
    setBy(ms) {
      moved += ms;
    },
  };
}

const SETS = [
  ["back by an hour", -HOUR],
  ["back by 150 ms", -150],
  ["forward by an hour", HOUR],
] as const;

const before = (port: Port) => {
  const session = connectHttp2(port.address);
  openGrpcCall(session, pathOf(AdmissionService.method.acquire), { "grpc-timeout": "60S" }).end(
    envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM))),
  );
  openGrpcCall(session, pathOf(AdmissionService.method.tryAcquire), { "grpc-timeout": "60000000u" }).end(
    envelope(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM))),
  );
};

test.each(SETS)("gRPC, set %s before a call comes and after", async (_, by) => {
  const wall = settableWallClock();
  const clock = createSystemClock();
  const unary = Promise.withResolvers<number | undefined>();
  const held = createHeldService((_request, call) => {
    wall.setBy(by);
    unary.resolve(call.timeout);
    return GRANTED;
  });
  const port = await startGrpc([held.service], { clock });
  // The server has just looked at the wall clock.
  clock.wallTime(clock.now());
  wall.setBy(by);
  before(port);
  const { stream } = await held.acquires.next();
  wall.setBy(by);
  for (const timeout of [stream.timeout, await unary.promise]) {
    expect(timeout).toBeGreaterThan(MINUTE - 30_000_000);
    expect(timeout).toBeLessThanOrEqual(MINUTE);
  }
});

test.each(PROTOCOLS)("%s, set while a call is under way", async (protocol) => {
  for (const [, by] of SETS) {
    const wall = settableWallClock();
    const held = createHeldService();
    const { address } = await startWeb([held.service]);
    const call = createWebClient(protocol, address).acquire(CLAIM, { timeoutMs: 60_000 })[Symbol.asyncIterator]();
    call.next().catch(() => {});
    const { stream } = await held.acquires.next();
    wall.setBy(by);
    expect(stream.timeout).toBeGreaterThan(MINUTE - 30_000_000);
    expect(stream.timeout).toBeLessThanOrEqual(MINUTE);
    stream.end();
    vi.restoreAllMocks();
  }
});

test("a client cannot set when its call is due", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  openGrpcCall(connectHttp2(address), pathOf(AdmissionService.method.acquire), { "ggen-due": "1" }).end(
    envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM))),
  );
  const { stream } = await held.acquires.next();
  expect(stream.timeout).toBeUndefined();
});
