import { toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  LimiterService,
  type WatchLimitersResponse,
  WatchLimitersResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { connect } from "../../src/client/index.ts";
import { startTestServer } from "../support/server.ts";

const COUNT = 6_000;
const NAMES = Array.from({ length: COUNT }, (_, i) => `team-${String(i).padStart(5, "0")}/${"x".repeat(100)}`);
const FILE = `limiters:\n${NAMES.map((name) => `  - { name: ${name}, description: ${"d".repeat(200)}, max_rps: 100, max_concurrent: 5 }`).join("\n")}`;

test("the snapshot of thousands of limiters comes in messages below 1 MB, whole and in order, and then an idle server says nothing", async () => {
  await using server = await startTestServer(FILE);
  const client = server.grpc();
  const stream = client.open(LimiterService.method.watchLimiters, {});
  const snapshot: string[] = [];
  for (let more = true; more; ) {
    const message = (await stream.next()) as WatchLimitersResponse;
    expect(toBinary(WatchLimitersResponseSchema, message).length).toBeLessThan(1_000_000);
    const { event } = message;
    if (event.case === "snapshot") snapshot.push(...event.value.limiters.map(({ name }) => name));
    if (event.case === "changed") snapshot.push(event.value.name);
    more = message.more === true;
  }
  expect(snapshot).toEqual(NAMES);
  const [name] = NAMES as [string];
  const quiet = await Promise.race([stream.next(), new Promise((resolve) => setTimeout(resolve, 3_000, "quiet"))]);
  expect(quiet).toBe("quiet");
  await client.call(LimiterService.method.updateLimiter, { limiter: { name, maxConcurrent: 6 } });
});

test("the client puts such a snapshot together, of all limiters or of some, whether they are there or not", async () => {
  await using server = await startTestServer(FILE);
  await using client = connect(server.address);
  for await (const event of client.limiters.watch()) {
    expect(event.kind === "snapshot" && event.limiters.map(({ name }) => name)).toEqual(NAMES);
    break;
  }
  const some = [...NAMES.slice(0, 500), ...Array.from({ length: 200 }, (_, i) => `z-missing-${i}`)];
  for await (const event of client.limiters.watch({ names: some })) {
    expect(event.kind === "snapshot" && event.limiters.map(({ name }) => name)).toEqual(NAMES.slice(0, 500));
    break;
  }
});
