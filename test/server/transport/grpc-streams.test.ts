import { once } from "node:events";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  AdmissionService,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  type SessionRequest,
  SessionRequestSchema,
  SessionResponseSchema,
  SessionService,
} from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { Code, WireError } from "../../../src/server/wire/error-wire.ts";
import { createMailbox } from "../../client/support/mailbox.ts";
import { createGrpcClient, pathOf } from "./support/grpc-client.ts";
import { answerTo, commandOf, createHeldService, waiting } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf, ping } from "./support/http2-client.ts";
import { startGrpc } from "./support/ports.ts";

const CLAIM = { claims: [{ limiter: "l" }] };
const ACQUIRE = pathOf(AdmissionService.method.acquire);
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));

test("what is sent arrives in order, then the stream ends as the service ends it", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const client = createGrpcClient(address);
  for (const finish of ["end", "fail"] as const) {
    const call = client.acquire(CLAIM);
    const arrived: (number | undefined)[] = [];
    call.on("data", ({ event }) => arrived.push(event.case === "waiting" ? event.value.waitersAhead : undefined));
    call.on("error", () => {});
    const final = new Promise((resolve) => call.on("status", resolve));
    const { stream } = await held.acquires.next();
    for (let i = 1; i < 100; i += 1) stream.send(waiting(i));
    if (finish === "end") stream.end();
    else stream.fail(new WireError(Code.Aborted, "revoked"));
    stream.send(waiting(100));
    stream.end();
    expect(await final).toMatchObject(
      finish === "end" ? { code: status.OK } : { code: status.ABORTED, details: "revoked" },
    );
    expect(arrived).toEqual(Array.from({ length: 100 }, (_, i) => i));
  }
  expect(held.endings).toEqual([]);
});

test("a reader that does not read leaves two messages unsent, and the stream hears when it has caught up", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  // No byte of any answer may be sent until the window is opened.
  const session = connectHttp2(address, { settings: { initialWindowSize: 0 } });
  const call = openGrpcCall(session, ACQUIRE);
  call.end(REQUEST);
  const bytes = createMailbox<Buffer>();
  call.on("data", (chunk: Buffer) => bytes.put(chunk));
  const { stream } = await held.acquires.next();
  await ping(session);
  const writable = new Promise<void>((resolve) => stream.onWritable(resolve));
  // `waiting(0)` was the first.
  expect(stream.send(waiting(1))).toBe(false);
  session.settings({ initialWindowSize: 65_535 });
  await writable;
  expect(stream.send(waiting(2))).toBe(true);
  stream.end();
  await once(call, "close");
  const sizes = [0, 1, 2].map((i) => envelope(toBinary(AcquireResponseSchema, waiting(i))).byteLength);
  expect(bytes.untaken.reduce((sum, chunk) => sum + chunk.byteLength, 0)).toBe(sizes.reduce((a, b) => a + b));
});

test("requests of a session come in order, those before there was a listener too, and then its half-close", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.sessionService]);
  const call = createGrpcClient(address).session();
  for (let id = 1n; id <= 3n; id += 1n) call.write(commandOf(id));
  const stream = await held.sessions.next();
  const requests = createMailbox<SessionRequest | "half-close">();
  stream.onHalfClose(() => requests.put("half-close"));
  stream.onMessage(requests.put);
  const arrived = [await requests.next(), await requests.next(), await requests.next()];
  expect(arrived.map((each) => each !== "half-close" && each.commands[0]?.id)).toEqual([1n, 2n, 3n]);
  stream.send(answerTo(3n));
  const [answer] = await once(call, "data");
  expect(answer.answers[0]?.id).toBe(3n);
  call.end();
  expect(await requests.next()).toBe("half-close");
  stream.end();
  const [final] = await once(call, "status");
  expect(final.code).toBe(status.OK);
});

test("nothing is read from a session whose reader does not keep up", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.sessionService]);
  const session = connectHttp2(address, { settings: { initialWindowSize: 0 } });
  const call = openGrpcCall(session, pathOf(SessionService.method.session));
  const stream = await held.sessions.next();
  let requests = 0;
  stream.onMessage(() => {
    requests += 1;
    stream.send(answerTo(1n));
  });
  const request = envelope(toBinary(SessionRequestSchema, commandOf(1n)));
  const MANY = 5_000;
  for (let i = 0; i < MANY; i += 1) call.write(request);
  await ping(session);
  await ping(session);
  expect(requests).toBeLessThan(100);
  const answer = envelope(toBinary(SessionResponseSchema, answerTo(1n)));
  session.settings({ initialWindowSize: 65_535 });
  let answered = 0;
  for await (const chunk of call) {
    answered += chunk.byteLength / answer.byteLength;
    if (answered === MANY) break;
  }
  expect(requests).toBe(MANY);
});

test("a request that breaks the contract ends its session, and what the session holds is orphaned", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.sessionService]);
  const call = openGrpcCall(connectHttp2(address), pathOf(SessionService.method.session));
  const stream = await held.sessions.next();
  const ended = new Promise((resolve) => stream.onEnd(resolve));
  const requests: SessionRequest[] = [];
  stream.onMessage((request) => requests.push(request));
  const bad = create(SessionRequestSchema, {
    commands: [{ command: { case: "release", value: { leaseId: "x".repeat(65), secret: "s" } } }],
  });
  for (const request of [create(SessionRequestSchema), bad, create(SessionRequestSchema)]) {
    call.write(envelope(toBinary(SessionRequestSchema, request)));
  }
  call.end();
  expect(await outcomeOf(call)).toMatchObject({
    status: String(status.INVALID_ARGUMENT),
    message: expect.stringContaining("commands[0].release.lease_id"),
  });
  expect(await ended).toBe("lost");
  expect(requests).toHaveLength(1);
});

test("a message that cannot be encoded ends its stream as a bug, and what the stream holds is orphaned", async () => {
  const held = createHeldService();
  const { address, log } = await startGrpc([held.service]);
  const call = openGrpcCall(connectHttp2(address), ACQUIRE);
  call.end(REQUEST);
  const { stream, ended } = await held.acquires.next();
  const broken = fromBinary(AcquireResponseSchema, toBinary(AcquireResponseSchema, waiting(1)));
  Object.assign(broken.event.value ?? {}, { waitersAhead: "many" });
  stream.send(broken);
  expect(await ended).toBe("lost");
  expect(await outcomeOf(call)).toMatchObject({ status: String(status.INTERNAL) });
  expect(log.at("error")).toHaveLength(1);
});
