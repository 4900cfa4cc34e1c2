/** What a refusal tells its caller: whether and when to ask again, and the numbers that explain it. */

import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { AdmissionError } from "../../src/client/index.ts";
import { connect } from "../support/connect.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const SERVER = `
limiters:
  - { name: db, max_concurrent: 10, max_waiters: 1 }
  - { name: api, max_rps: 1500, burst_size: 75 }
  - { name: one, max_concurrent: 1 }
  - { name: users, keyed: true, max_rps: 0.1, burst_size: 1, max_keys: 2 }
  - { name: jobs, keyed: true, max_concurrent: 1, max_keys: 1 }
boards:
  - name: dev
    max_cards: 3
    stages: [{ name: Todo, wip_limit: 2 }, { name: Doing, kind: WORK, wip_limit: 1 }, { name: Done }]
`;

async function errorOf(call: Promise<unknown>): Promise<AdmissionError> {
  const thrown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(AdmissionError);
  return thrown as AdmissionError;
}

test("a claim that can never be granted is refused with its numbers and the limits", async () => {
  await using server = await startTestServer(SERVER);
  await using client = connect(server.address);
  const tooMany = await errorOf(client.tryAcquire("api", { tokens: 4000 }));
  expect(tooMany.message).toContain('limiter "api"');
  expect(tooMany.message).toContain("asks for 4,000 tokens; burst_size is 75");
  expect(tooMany).toMatchObject({ reason: "CLAIM_EXCEEDS_LIMIT", retryable: false, retryAfterMs: undefined });
  const several = await errorOf(client.acquire([{ limiter: "api" }, { limiter: "db", permits: 11 }]));
  expect(several.message).toContain('limiter "db"');
  expect(several.message).toContain("asks for 11 permits; max_concurrent is 10");
  expect(several).toMatchObject({ limiter: "db", retryable: false });
});

test("each refusal says whether the same request may succeed later", async () => {
  await using server = await startTestServer(SERVER);
  await using client = connect(server.address);
  await using _held = await client.acquire("one");
  expect(await client.tryAcquire("one")).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED", retryable: true });
  const never = [
    errorOf(client.tryAcquire("nowhere")),
    errorOf(client.tryAcquire("one", { key: "k" })),
    errorOf(client.limiters.get("nowhere")),
    errorOf(client.limiters.delete("one")),
    errorOf(client.limiters.create({ name: "one", maxConcurrent: 2 })),
    errorOf(client.boards.get("nowhere")),
    errorOf(client.board("dev").get("no-card")),
  ];
  for (const error of await Promise.all(never)) {
    expect(error, error.reason).toMatchObject({ retryable: false, retryAfterMs: undefined });
  }
  const board = client.board("dev");
  await board.add({ id: "a" });
  await board.add({ id: "b" });
  const full = await errorOf(board.add({ id: "c" }));
  expect(full).toMatchObject({ reason: "STAGE_FULL", retryable: true, retryAfterMs: 1000 });
  expect(full.message).toContain("wip_limit is 2");
  const now = [errorOf(client.acquire("one", { maxWait: 0 })), errorOf(client.acquire("one", { maxWait: 20 }))];
  for (const error of await Promise.all(now)) {
    expect(error, error.reason).toMatchObject({ retryable: true });
    expect(error.retryAfterMs, error.reason).toBeGreaterThan(0);
  }
});

test("a limiter whose keys are all taken answers a try, with the time when one becomes free", async () => {
  await using server = await startTestServer(SERVER);
  await using client = connect(server.address);
  for (const key of ["a", "b"]) expect((await client.tryAcquire("users", { key })).granted).toBe(true);
  const refusal = await client.tryAcquire("users", { key: "c" });
  if (refusal.granted) throw new Error("there was no room for a third key");
  expect(refusal).toMatchObject({ reason: "KEYS_EXHAUSTED", retryable: true, limiter: "users", key: "c" });
  expect(refusal.retryAfterMs).toBeGreaterThan(5_000);
  expect(refusal.retryAfterMs).toBeLessThanOrEqual(10_000);
  expect(refusal.message).toContain("max_keys is 2");
  const error = await errorOf(client.acquire("users", { key: "c", maxWait: 5 }));
  expect(error).toMatchObject({ reason: "KEYS_EXHAUSTED", code: "RESOURCE_EXHAUSTED", retryable: true });
  expect(error.retryAfterMs).toBeGreaterThan(5_000);
  // What is held has no time.
  await using _held = await client.acquire("jobs", { key: "a" });
  expect(await client.tryAcquire("jobs", { key: "b" })).toMatchObject({
    reason: "KEYS_EXHAUSTED",
    retryAfterMs: undefined,
  });
});

/** Asks with the retry policy that generic clients of gRPC are given, and counts what arrives at the server. */
async function askWithPolicy(server: TestServer, request: MessageInitShape<typeof AcquireRequestSchema>) {
  const policy = {
    methodConfig: [
      {
        name: [{}],
        retryPolicy: {
          maxAttempts: 5,
          initialBackoff: "0.01s",
          maxBackoff: "0.01s",
          backoffMultiplier: 1,
          retryableStatusCodes: ["RESOURCE_EXHAUSTED", "UNAVAILABLE", "FAILED_PRECONDITION"],
        },
      },
    ],
  };
  const client = new Client(server.address, credentials.createInsecure(), {
    "grpc.service_config": JSON.stringify(policy),
    "grpc.enable_retries": 1,
  });
  const { acquire } = AdmissionService.method;
  const call = client.makeServerStreamRequest(
    `/${acquire.parent.typeName}/${acquire.name}`,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
    Buffer.from(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, request))),
    new Metadata(),
  );
  call.on("data", () => {});
  const ending = new Promise<ServiceError>((resolve) => call.on("error", resolve));
  return { ending, client, call };
}

test("a retry policy by status codes waits as long as the server says, and does not repeat what can never succeed", async () => {
  await using server = await startTestServer(SERVER);
  await using look = connect(server.address);
  await using _held = await look.acquire("one");
  const refused = async (limiter: string, reason: string) =>
    (await look.limiters.get(limiter)).status.refusals[reason as never] ?? 0;

  const now = await askWithPolicy(server, { claims: [{ limiter: "one" }], maxWait: {} });
  // Without the server's word all five attempts would be over within 50 ms.
  await sleep(500);
  expect(await refused("one", "CONCURRENCY_EXHAUSTED")).toBe(1);
  now.call.cancel();
  await now.ending;
  now.client.close();

  const never = await askWithPolicy(server, { claims: [{ limiter: "one", permits: 2 }] });
  const error = await never.ending;
  expect(error.metadata.get("grpc-retry-pushback-ms")).toEqual(["-1"]);
  expect(await refused("one", "CLAIM_EXCEEDS_LIMIT")).toBe(1);
  never.client.close();
});

test("the web port says it in the header that the caller's protocol knows", async () => {
  await using server = await startTestServer(SERVER);
  await using look = connect(server.address);
  await using _held = await look.acquire("one");
  const post = (method: string, contentType: string, body: BodyInit) =>
    fetch(`${server.url}/ggen.backpressure.v1.${method}`, {
      method: "POST",
      headers: { "content-type": contentType },
      body,
    });
  const board = look.board("dev");
  await board.add({ id: "a" });
  await board.add({ id: "b" });
  const add = JSON.stringify({ board: "dev", card: { id: "c" } });
  const full = await post("BoardService/AddCard", "application/json", add);
  expect(full.status).toBe(429);
  expect(full.headers.get("retry-after")).toBe("1");
  const never = await post("LimiterService/GetLimiter", "application/json", JSON.stringify({ name: "nowhere" }));
  expect(never.headers.get("retry-after")).toBeNull();
  const request = toBinary(
    AcquireRequestSchema,
    create(AcquireRequestSchema, { claims: [{ limiter: "one" }], maxWait: {} }),
  );
  const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
  const web = await post("AdmissionService/Acquire", "application/grpc-web+proto", framed);
  expect(`${await web.text()}${web.headers.get("grpc-retry-pushback-ms")}`).toMatch(
    /grpc-retry-pushback-ms: ?1000|1000$/,
  );
});
