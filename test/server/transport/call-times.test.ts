/** How long calls took is counted by method, protocol and status, once for each. */

import { create } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { createSystemClock } from "../../../src/server/clock.ts";
import {
  AdmissionService,
  TryAcquireResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { ServerStream } from "../../../src/server/service/rpc.ts";
import { createRpcService } from "../../../src/server/service/rpc.ts";
import { type CallTimes, createCallTimes, statusName } from "../../../src/server/transport/rpc/call-times.ts";
import { draining } from "../../../src/server/wire/error-wire.ts";
import { endedOf } from "./support/ended.ts";
import { startGrpc, startWeb } from "./support/ports.ts";

const ASK = { claims: [{ limiter: "db" }] };

const openStreams = (times: CallTimes) =>
  Object.fromEntries(times.read().streams)[`${AdmissionService.typeName}/Acquire`];

/** TryAcquire answers, Release is refused, Renew has a bug, Acquire is the test's. */
async function start(way: "gRPC" | "Connect") {
  const clock = createSystemClock();
  const times = createCallTimes(clock);
  const opened: ServerStream<unknown>[] = [];
  const service = createRpcService(AdmissionService, {
    tryAcquire: () => create(TryAcquireResponseSchema),
    release: async () => {
      await Promise.resolve();
      throw draining();
    },
    renew: () => {
      throw new Error("a bug");
    },
    acquire: (_request, stream) => void opened.push(stream),
  });
  const { address } = await (way === "gRPC"
    ? startGrpc([service], { clock, times })
    : startWeb([service], { clock, times }));
  const baseUrl = `http://${address}`;
  const transport =
    way === "gRPC" ? createGrpcTransport({ baseUrl }) : createConnectTransport({ baseUrl, httpVersion: "2" });
  return { client: createClient(AdmissionService, transport), times, opened };
}

describe.each([
  ["gRPC", "grpc"],
  ["Connect", "connectrpc"],
] as const)("over %s", (way, system) => {
  test("calls that are answered, refused and failed are counted by their status", async () => {
    const { client, times } = await start(way);
    await client.tryAcquire(ASK);
    await client.tryAcquire(ASK);
    await expect(client.release({ leaseId: "a", secret: "b" })).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(client.renew({ leases: [{ leaseId: "a", secret: "b" }] })).rejects.toMatchObject({
      code: Code.Internal,
    });
    expect(endedOf(times)).toEqual({
      [`${system} TryAcquire OK`]: 2,
      [`${system} Release UNAVAILABLE`]: 1,
      [`${system} Renew INTERNAL`]: 1,
    });
  });

  test.each([
    ["its end", (stream: ServerStream<unknown>) => stream.end(), "OK"],
    ["its failure", (stream: ServerStream<unknown>) => stream.fail(draining()), "UNAVAILABLE"],
  ])("a stream is under way until %s, and is counted once", async (_how, finish, status) => {
    const { client, times, opened } = await start(way);
    const messages = client.acquire(ASK)[Symbol.asyncIterator]();
    const over = messages.next().catch(() => {});
    await expect.poll(() => opened.length).toBe(1);
    expect([openStreams(times), endedOf(times)]).toEqual([1, {}]);
    for (const stream of opened) {
      finish(stream);
      finish(stream);
    }
    await over;
    expect(openStreams(times)).toBe(0);
    expect(endedOf(times)).toEqual({ [`${system} Acquire ${status}`]: 1 });
  });

  test("a stream that its client leaves is cancelled, and one whose deadline passes has exceeded it", async () => {
    const { client, times, opened } = await start(way);
    const leaving = new AbortController();
    const left = client
      .acquire(ASK, { signal: leaving.signal })
      [Symbol.asyncIterator]()
      .next()
      .catch(() => {});
    await expect.poll(() => opened.length).toBe(1);
    leaving.abort();
    await left;
    await expect.poll(() => endedOf(times)).toEqual({ [`${system} Acquire CANCELLED`]: 1 });
    // Said to the server alone: a client that knows its deadline cancels at that very instant, and may be the first.
    await client
      .acquire(ASK, { headers: { "connect-timeout-ms": "50", "grpc-timeout": "50m" } })
      [Symbol.asyncIterator]()
      .next()
      .catch(() => {});
    await expect
      .poll(() => endedOf(times))
      .toEqual({ [`${system} Acquire CANCELLED`]: 1, [`${system} Acquire DEADLINE_EXCEEDED`]: 1 });
  });
});

test("every status has the name that gRPC gives it", () => {
  const names = [0, Code.Canceled, Code.InvalidArgument, Code.DeadlineExceeded, Code.ResourceExhausted, Code.DataLoss];
  expect(names.map(statusName)).toEqual([
    "OK",
    "CANCELLED",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "DATA_LOSS",
  ]);
});
