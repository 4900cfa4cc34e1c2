import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ANONYMOUS } from "../../../src/server/access/caller.ts";
import {
  AdmissionService,
  TryAcquireResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  SessionRequestSchema,
  SessionService,
} from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../../src/server/gen/google/rpc/error_details_pb.ts";
import { createRpcService } from "../../../src/server/service/rpc.ts";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import { pathOf } from "./support/grpc-client.ts";
import { answerTo, commandOf, createHeldService, waiting } from "./support/held-service.ts";
import { connectHttp2, envelope, messagesOf, openGrpcCall, ping } from "./support/http2-client.ts";
import { startWeb } from "./support/ports.ts";
import { createWebClient, createWebSessions, PROTOCOLS } from "./support/web-client.ts";

const CLAIM = { claims: [{ limiter: "payments-db" }] };
const GRANTED = create(TryAcquireResponseSchema, { result: { case: "granted", value: { secret: "s" } } });

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return ConnectError.from(error);
}

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

test.each(PROTOCOLS)("a call is answered, at once or later: %s", async (protocol) => {
  for (const handler of [() => GRANTED, () => Promise.resolve(GRANTED)]) {
    const { address } = await startWeb([createHeldService(handler).service]);
    const answer = await createWebClient(protocol, address).tryAcquire(CLAIM);
    expect(answer.result.case).toBe("granted");
  }
});

test.each(PROTOCOLS)("a WireError arrives with its code, its message and its details: %s", async (protocol) => {
  const detail = { desc: ErrorInfoSchema, value: { reason: "QUEUE_FULL", domain: "ggen.backpressure" } };
  const held = createHeldService(() => {
    throw new WireError(Code.ResourceExhausted, "full – 100 %", [detail]);
  });
  const { address, log } = await startWeb([held.service]);
  const failure = await failureOf(createWebClient(protocol, address).tryAcquire(CLAIM));
  expect([failure.code, failure.rawMessage]).toEqual([Code.ResourceExhausted, "full – 100 %"]);
  expect(failure.findDetails(ErrorInfoSchema).map(({ reason }) => reason)).toEqual(["QUEUE_FULL"]);
  expect(log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
});

test.each(PROTOCOLS)("a bug is logged whole and answered as nothing but a bug: %s", async (protocol) => {
  const bug = new Error("the inside");
  const raise = () => {
    throw bug;
  };
  const service = createRpcService(AdmissionService, { tryAcquire: raise, acquire: raise });
  const { address, log } = await startWeb([service]);
  const client = createWebClient(protocol, address);
  for (const call of [() => client.tryAcquire(CLAIM), () => drained(client.acquire(CLAIM))]) {
    const failure = await failureOf(call());
    expect([failure.code, failure.rawMessage]).toEqual([
      Code.Internal,
      "an internal error; the server's log says more",
    ]);
  }
  expect(log.at("error").map(({ fields }) => fields)).toEqual([
    { event: "call-fault", err: bug, method: "ggen.backpressure.v1.AdmissionService/TryAcquire" },
    { event: "call-fault", err: bug, method: "ggen.backpressure.v1.AdmissionService/Acquire" },
  ]);
});

test.each(PROTOCOLS)("a request that breaks the contract never reaches its handler: %s", async (protocol) => {
  const held = createHeldService(() => {
    throw new Error("reached");
  });
  const { address } = await startWeb([held.service]);
  const client = createWebClient(protocol, address);
  const failure = await failureOf(client.tryAcquire({ claims: [{ limiter: "a" }, { limiter: "" }] }));
  expect(failure.code).toBe(Code.InvalidArgument);
  const [badRequest] = failure.findDetails(BadRequestSchema);
  expect(badRequest?.fieldViolations.map(({ field }) => field)).toEqual(["claims[1].limiter"]);
  expect((await failureOf(drained(client.acquire({})))).code).toBe(Code.InvalidArgument);
  expect(held.acquires.untaken).toEqual([]);
});

test.each(PROTOCOLS)(
  "a method without a function, and one that does not exist, are unimplemented: %s",
  async (protocol) => {
    const { address } = await startWeb([createRpcService(AdmissionService, {})]);
    const here = await failureOf(createWebClient(protocol, address).tryAcquire(CLAIM));
    expect(here.code).toBe(Code.Unimplemented);
    const elsewhere = await startWeb([]);
    const there = await failureOf(createWebClient(protocol, elsewhere.address).tryAcquire(CLAIM));
    expect(there.code).toBe(Code.Unimplemented);
  },
);

test.each(PROTOCOLS)(
  "what a stream is sent arrives in order, then it ends as the service ends it: %s",
  async (protocol) => {
    const held = createHeldService();
    const { address } = await startWeb([held.service]);
    const client = createWebClient(protocol, address);
    for (const finish of ["end", "fail"]) {
      const arrived: unknown[] = [];
      const call = (async () => {
        for await (const { event } of client.acquire(CLAIM)) {
          arrived.push(event.case === "waiting" ? event.value.waitersAhead : undefined);
        }
      })();
      const { stream } = await held.acquires.next();
      for (let i = 1; i < 100; i += 1) stream.send(waiting(i));
      if (finish === "end") stream.end();
      else stream.fail(new WireError(Code.Aborted, "revoked"));
      stream.send(waiting(100));
      if (finish === "end") await call;
      else expect((await failureOf(call)).code).toBe(Code.Aborted);
      expect(arrived).toEqual(Array.from({ length: 100 }, (_, i) => i));
    }
    expect(held.endings).toEqual([]);
  },
);

test.each(PROTOCOLS)(
  "a call knows its peer, its deadline, and whether its connection is probed: %s",
  async (protocol) => {
    const seen: unknown[] = [];
    const held = createHeldService((_request, { peer, timeout }) => {
      seen.push(peer, timeout);
      return GRANTED;
    });
    const { address } = await startWeb([held.service]);
    const client = createWebClient(protocol, address);
    await client.tryAcquire(CLAIM);
    await client.tryAcquire(CLAIM, { timeoutMs: 60_000 });
    const call = drained(client.acquire(CLAIM, { timeoutMs: 60_000 }));
    const { stream } = await held.acquires.next();
    expect(seen).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      undefined,
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      expect.any(Number),
    ]);
    for (const timeout of [seen[3], stream.timeout]) {
      expect(timeout).toBeGreaterThan(50_000_000);
      expect(timeout).toBeLessThan(60_100_000);
    }
    expect(stream.probed).toBe(!protocol.includes("HTTP/1.1"));
    stream.end();
    await call;
  },
);

test.each(PROTOCOLS)("a call knows the headers of its request: %s", async (protocol) => {
  const seen: unknown[] = [];
  const held = createHeldService((_request, call) => {
    seen.push(call.header("x-tenant"), call.header("x-none"), call.caller);
    return GRANTED;
  });
  const { address } = await startWeb([held.service]);
  const client = createWebClient(protocol, address);
  const headers = { "x-tenant": "acme" };
  await client.tryAcquire(CLAIM, { headers });
  const call = drained(client.acquire(CLAIM, { headers }));
  const { stream } = await held.acquires.next();
  seen.push(stream.header("x-tenant"), stream.header("x-none"));
  expect(seen).toEqual(["acme", undefined, ANONYMOUS, "acme", undefined]);
  stream.end();
  await call;
});

test.each(["gRPC over HTTP/2", "Connect over HTTP/2"])("a session talks both ways: %s", async (protocol) => {
  const held = createHeldService();
  const { address } = await startWeb([held.sessionService]);
  async function* requests() {
    for (let id = 1n; id <= 3n; id += 1n) yield commandOf(id);
  }
  const call = (async () => {
    const ids: bigint[] = [];
    for await (const { answers } of createWebSessions(protocol, address).session(requests())) {
      ids.push(...answers.map(({ id }) => id));
    }
    return ids;
  })();
  const stream = await held.sessions.next();
  stream.onMessage(({ commands }) => void stream.send(answerTo(commands[0]?.id ?? 0n)));
  stream.onHalfClose(() => stream.end());
  expect(await call).toEqual([1n, 2n, 3n]);
});

test.each(["gRPC over HTTP/2", "Connect over HTTP/2"])(
  "a request that breaks the contract ends its session, and what the session holds is orphaned: %s",
  async (protocol) => {
    const held = createHeldService();
    const { address } = await startWeb([held.sessionService]);
    async function* requests() {
      yield create(SessionRequestSchema, { commands: [{ command: { case: undefined } }] });
    }
    const call = failureOf(drained(createWebSessions(protocol, address).session(requests())));
    const stream = await held.sessions.next();
    const ended = new Promise((resolve) => stream.onEnd(resolve));
    stream.onMessage(() => {});
    expect((await call).code).toBe(Code.InvalidArgument);
    expect(await ended).toBe("lost");
  },
);

test("nothing is read from a session whose reader does not keep up", async () => {
  const held = createHeldService();
  const { address } = await startWeb([held.sessionService]);
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
  expect(requests).toBeLessThan(200);
  session.settings({ initialWindowSize: 65_535 });
  let answers = 0;
  for await (const _ of messagesOf(call)) {
    answers += 1;
    if (answers === MANY) break;
  }
  expect(requests).toBe(MANY);
});
