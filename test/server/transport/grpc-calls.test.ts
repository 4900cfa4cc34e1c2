import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { ANONYMOUS } from "../../../src/server/access/caller.ts";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
  type TryAcquireResponse,
  TryAcquireResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionService } from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../../src/server/gen/google/rpc/error_details_pb.ts";
import { createRpcService } from "../../../src/server/service/rpc.ts";
import { Code, WireError } from "../../../src/server/wire/error-wire.ts";
import { createGrpcClient, failureOf, pathOf, richStatusOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf } from "./support/http2-client.ts";
import { startGrpc } from "./support/ports.ts";

const GRANTED = create(TryAcquireResponseSchema, { result: { case: "granted", value: { secret: "s" } } });
const CLAIM = { claims: [{ limiter: "payments-db" }] };
const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
const ACQUIRE = pathOf(AdmissionService.method.acquire);

test.each([
  ["at once", () => GRANTED],
  ["later", () => Promise.resolve(GRANTED)],
])("a handler may answer %s", async (_when, tryAcquire) => {
  const { address } = await startGrpc([createHeldService(tryAcquire).service]);
  const answer = await createGrpcClient(address).tryAcquire(CLAIM);
  expect(answer.result.case).toBe("granted");
});

test.each([
  [
    "at once",
    (error: Error): TryAcquireResponse => {
      throw error;
    },
  ],
  ["later", (error: Error): Promise<TryAcquireResponse> => Promise.reject(error)],
])("a WireError thrown %s arrives with its code, its message and its details", async (_when, raise) => {
  const detail = { desc: ErrorInfoSchema, value: { reason: "QUEUE_FULL", domain: "ggen.backpressure" } };
  const error = new WireError(Code.ResourceExhausted, "full – 100 % \u{1F6A7} \ud800", [detail]);
  const { address, log } = await startGrpc([createHeldService(() => raise(error)).service]);
  const failure = await failureOf(createGrpcClient(address).tryAcquire(CLAIM));
  expect(failure).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: "full – 100 % \u{1F6A7} \ufffd" });
  const rich = richStatusOf(failure);
  expect(rich).toMatchObject({ code: status.RESOURCE_EXHAUSTED, message: failure.details });
  expect(rich.details.map((any) => anyUnpack(any, ErrorInfoSchema)?.reason)).toEqual(["QUEUE_FULL"]);
  expect(log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
});

test("a bug is logged whole and answered as nothing but a bug", async () => {
  const bug = new Error("the inside");
  const raise = () => {
    throw bug;
  };
  const service = createRpcService(AdmissionService, {
    tryAcquire: raise,
    acquire: raise,
    renew: () => Promise.reject(bug),
    // Not a message at all, so it cannot be encoded.
    release: () => ({ $typeName: "ggen.backpressure.v1.ReleaseResponse", end: "x", alreadyEnded: false }) as never,
  });
  const sessions = createRpcService(SessionService, { session: raise });
  const { address, log } = await startGrpc([service, sessions]);
  const connection = connectHttp2(address);
  const lease = { leaseId: "l", secret: "s" };
  const { acquire, tryAcquire, renew, release } = AdmissionService.method;
  const requests: readonly (readonly [DescMethod, Record<string, unknown>])[] = [
    [tryAcquire, CLAIM],
    [acquire, CLAIM],
    [SessionService.method.session, {}],
    [renew, { leases: [lease] }],
    [release, lease],
  ];
  for (const [method, request] of requests) {
    const call = openGrpcCall(connection, pathOf(method));
    call.end(envelope(toBinary(method.input, create(method.input, request))));
    const { status: code, message } = await outcomeOf(call);
    expect([method.name, code, message]).toEqual([method.name, "13", "an internal error; the server's log says more"]);
  }
  expect(log.at("error").map(({ fields }) => fields.method)).toEqual(
    requests.map(([method]) => pathOf(method).slice(1)),
  );
  expect(log.at("error").filter(({ fields }) => fields.err === bug)).toHaveLength(4);
});

test("a request that breaks the contract never reaches its handler, and each violation is named", async () => {
  const held = createHeldService(() => {
    throw new Error("reached");
  });
  const { address } = await startGrpc([held.service]);
  const client = createGrpcClient(address);
  const claims = [{ limiter: "a" }, { limiter: "", permits: 5_000_000 }];
  const failure = await failureOf(client.tryAcquire({ claims }));
  expect(failure.code).toBe(status.INVALID_ARGUMENT);
  const [badRequest] = richStatusOf(failure).details.flatMap((any) => anyUnpack(any, BadRequestSchema) ?? []);
  expect(badRequest?.fieldViolations.map(({ field, reason }) => [field, reason])).toEqual([
    ["claims[1].limiter", "string.min_len"],
    ["claims[1].permits", "uint32.lte"],
  ]);

  const stream = client.acquire({});
  const error = await new Promise((resolve) => stream.on("error", resolve).resume());
  expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(held.acquires.untaken).toEqual([]);
});

test("however many rules a request breaks, the answer fits into the trailers that any client takes", async () => {
  const renew = AdmissionService.method.renew;
  const leases = Array.from({ length: 1000 }, () => ({ leaseId: "", secret: "" }));
  const { address } = await startGrpc([createRpcService(AdmissionService, { renew: () => create(renew.output) })]);
  const request = toBinary(renew.input, create(renew.input, { leases }));
  const failure = await failureOf(createGrpcClient(address).call(pathOf(renew), Buffer.from(request)));
  expect(failure.code).toBe(status.INVALID_ARGUMENT);
  const bytes = failure.details.length + Buffer.from(failure.metadata.get("grpc-status-details-bin")[0] ?? "").length;
  // 8 KiB are the least that any of them takes, for percent-encoded text and base64.
  expect(bytes).toBeLessThan(4096);
});

test.each([
  ["bytes that are no message", TRY_ACQUIRE, Buffer.from([0xff, 0xff, 0xff]), "13"],
  ["a varint that never ends", TRY_ACQUIRE, Buffer.alloc(64, 0xff), "13"],
  ["a length beyond the end", TRY_ACQUIRE, Buffer.from([0x0a, 0xff, 0xff, 0x03]), "13"],
  ["groups nested 30,000 deep", TRY_ACQUIRE, Buffer.alloc(30_000, 0x7b), "13"],
  ["a string that is no UTF-8", TRY_ACQUIRE, Buffer.from([0x12, 0x02, 0xc3, 0x28]), "13"],
  ["the same to a stream", ACQUIRE, Buffer.from([0xff, 0xff, 0xff]), "13"],
  ["an unknown method", "/ggen.backpressure.v1.AdmissionService/Nothing", Buffer.alloc(0), "12"],
  ["an unknown service", "/no.Such/Thing", Buffer.alloc(0), "12"],
  ["a method without a function", pathOf(AdmissionService.method.renew), Buffer.alloc(0), "12"],
])("%s: answered, and the port lives on", async (_what, path, bytes, code) => {
  const { address } = await startGrpc([createHeldService(() => GRANTED).service]);
  const session = connectHttp2(address);
  const call = openGrpcCall(session, path);
  call.end(envelope(bytes));
  expect(await outcomeOf(call)).toMatchObject({ status: code });
  const next = openGrpcCall(session, TRY_ACQUIRE);
  next.end(envelope(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM))));
  expect(await outcomeOf(next)).toMatchObject({ status: "0" });
});

/** The last is where the gRPC port notes when a call is due. */
const NAMES = ["x-tenant", "x-key-bin", "x-none", "ggen-due"];

test("a call knows its peer and the µs that its deadline leaves", async () => {
  const seen: (readonly [string, number | undefined])[] = [];
  const held = createHeldService((_request, call) => {
    seen.push([call.peer, call.timeout]);
    return GRANTED;
  });
  const { address } = await startGrpc([held.service]);
  const client = createGrpcClient(address);
  await client.tryAcquire(CLAIM);
  await client.tryAcquire(CLAIM, { deadline: Date.now() + 60_000 });
  client.acquire(CLAIM, { deadline: Date.now() + 60_000 }).on("error", () => {});
  const { stream } = await held.acquires.next();
  const [without, unary] = seen;
  expect(without).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/), undefined]);
  for (const [peer, timeout] of [unary ?? [], [stream.peer, stream.timeout]]) {
    expect(peer).toBe(without?.[0]);
    expect(timeout).toBeGreaterThan(50_000_000);
    expect(timeout).toBeLessThan(60_100_000);
  }
  expect(stream.probed).toBe(true);
});

test("a call knows the headers of its request, and none of the server's own", async () => {
  const seen: unknown[] = [];
  const headers = { "x-tenant": "acme", "x-key-bin": Buffer.from("key").toString("base64"), "grpc-timeout": "60S" };
  const held = createHeldService((_request, call) => {
    seen.push(...NAMES.map((name) => call.header(name)), call.caller);
    return GRANTED;
  });
  const { address } = await startGrpc([held.service]);
  const session = connectHttp2(address);
  const unary = openGrpcCall(session, TRY_ACQUIRE, headers);
  unary.end(envelope(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM))));
  expect(await outcomeOf(unary)).toMatchObject({ status: "0" });
  expect(seen).toEqual(["acme", undefined, undefined, undefined, ANONYMOUS]);
  const call = openGrpcCall(session, ACQUIRE, headers);
  call.end(envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM))));
  const { stream } = await held.acquires.next();
  expect(NAMES.map((name) => stream.header(name))).toEqual(["acme", undefined, undefined, undefined]);
  stream.end();
  await outcomeOf(call);
});

test.each(["99999999H", "40000M", "3000000S"])("a deadline of %s is far, not past", async (timeout) => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const call = openGrpcCall(connectHttp2(address), ACQUIRE, { "grpc-timeout": timeout });
  call.end(envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM))));
  const { stream } = await held.acquires.next();
  expect(stream.timeout).toBeGreaterThan(2_000_000 * 1_000_000);
  stream.end();
  expect(await outcomeOf(call)).toMatchObject({ status: "0" });
});

test("a caller cannot make the server write lines", async () => {
  const { address, log } = await startGrpc([createHeldService(() => GRANTED).service]);
  const call = openGrpcCall(connectHttp2(address), TRY_ACQUIRE, { "bad!key": "x" });
  call.end(envelope(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM))));
  expect(await outcomeOf(call)).toMatchObject({ status: "0" });
  expect(log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
});

test("a caller cannot pass for another connection", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const request = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));
  openGrpcCall(connectHttp2(address), ACQUIRE).end(request);
  const first = await held.acquires.next();
  openGrpcCall(connectHttp2(address), ACQUIRE, { "ggen-stream": "1" }).end(request);
  const second = await held.acquires.next();
  expect(second.stream.peer).not.toBe(first.stream.peer);
});
