/** Clients of sessions that do not read, and that ask without end: bounded, and no burden to others. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import {
  SessionRequestSchema,
  SessionResponseSchema,
  SessionService,
} from "../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { pathOf } from "../server/transport/support/grpc-client.ts";
import { connectHttp2, envelope, messagesOf, openGrpcCall, ping } from "../server/transport/support/http2-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { acquireOf, leaseOf, openSession, tryAcquireOf } from "./support/session.ts";

const RATE = "limiters: [{ name: rate, max_rps: 10000000, burst_size: 1000000 }]";
const MESSAGES = 200;
const COMMANDS = 100;

function messageOf(number: number): Uint8Array {
  const first = BigInt(number * COMMANDS);
  const commands = Array.from({ length: COMMANDS }, (_, i) => ({
    id: first + BigInt(i),
    command: tryAcquireOf("rate"),
  }));
  return envelope(toBinary(SessionRequestSchema, create(SessionRequestSchema, { commands })));
}

async function granted(server: TestServer): Promise<number> {
  const { limiter } = await server.grpc().call(LimiterService.method.getLimiter, { name: "rate" });
  return Number(limiter?.status?.grantedCount);
}

it("decides no more for a client that does not read, until it reads, and then answers each command once", async () => {
  await using server = await startTestServer(RATE);
  const connection = connectHttp2(server.address, { settings: { initialWindowSize: 0 } });
  const call = openGrpcCall(connection, pathOf(SessionService.method.session as never));
  call.write(envelope(toBinary(SessionRequestSchema, create(SessionRequestSchema, { open: {} }))));
  for (let i = 0; i < MESSAGES; i += 1) call.write(messageOf(i));
  for (let i = 0; i < 5; i += 1) await ping(connection);
  const before = await granted(server);
  // One turn's, a message or two that were on their way, and no more.
  expect(before).toBeLessThan(2_000);
  for (let i = 0; i < 5; i += 1) await ping(connection);
  expect(await granted(server)).toBe(before);
  connection.settings({ initialWindowSize: 1 << 20 });
  connection.setLocalWindowSize(1 << 24);
  const seen = new Set<bigint>();
  for await (const bytes of messagesOf(call)) {
    for (const { id } of fromBinary(SessionResponseSchema, bytes).answers) seen.add(id);
    if (seen.size === MESSAGES * COMMANDS) break;
  }
  expect(await granted(server)).toBe(MESSAGES * COMMANDS);
});

it("has turns with others, however much one asks at once", async () => {
  await using server = await startTestServer(RATE);
  const session = openSession(server.address);
  await session.open();
  const client = server.grpc();
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "rate" }] });
  const ids = Array.from({ length: 20 }, () =>
    session.send(...Array.from({ length: 1_000 }, () => tryAcquireOf("rate"))),
  );
  await session.find(() => session.answers()[0]);
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "rate" }] });
  expect(session.answers().length).toBeLessThan(20_000);
  await session.lastAnswer(ids.at(-1)?.at(-1) as bigint);
});

it("refuses what a session asks beyond its bound, and goes on", async () => {
  await using server = await startTestServer(
    "limits: { max_commands_per_session: 3 }\nlimiters: [{ name: db, max_concurrent: 1 }]",
  );
  const session = openSession(server.address);
  await session.open();
  const lease = leaseOf(await session.ask(acquireOf("db")));
  const waiting: bigint[] = [];
  for (let i = 0; i < 3; i += 1) waiting.push(await session.waits(acquireOf("db")));
  expect(await session.ask(acquireOf("db"))).toMatchObject({
    case: "failed",
    value: { message: expect.stringContaining("3 commands") },
  });
  // What frees a place is carried out all the same.
  await session.ask({ case: "cancel", value: { commandId: waiting[2] as bigint } });
  expect(await session.ask({ case: "release", value: { leaseId: lease } })).toMatchObject({ case: "released" });
  leaseOf((await session.lastAnswer(waiting[0] as bigint)).answer);
});
