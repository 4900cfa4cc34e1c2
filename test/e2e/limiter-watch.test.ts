import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  LimiterService,
  type WatchLimitersResponse,
} from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { connectHttp2, envelope, messagesOf, openGrpcCall } from "../server/transport/support/http2-client.ts";
import { giveBack, hold } from "../support/acquire.ts";
import type { ContractStream } from "../support/contract-client.ts";
import { pathOf } from "../support/grpc-client.ts";
import { startTestServer } from "../support/server.ts";

const { createLimiter, deleteLimiter, updateLimiter, watchLimiters } = LimiterService.method;

/** Reads until an event satisfies. */
async function until(
  stream: ContractStream<WatchLimitersResponse>,
  isWanted: (event: WatchLimitersResponse["event"]) => boolean,
): Promise<WatchLimitersResponse["event"]> {
  for (;;) {
    const { event } = await stream.next();
    if (isWanted(event)) return event;
  }
}

test("a watcher is sent all that there is, then what changes, comes and goes", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: b, max_concurrent: 1 }, { name: a, max_concurrent: 1 }]",
  );
  const client = server.grpc();
  for (const watcher of [client, server.connect({ protocol: "connect", httpVersion: "1.1" })]) {
    const stream = watcher.open(watchLimiters, {});
    expect(await stream.next()).toMatchObject({
      event: { case: "snapshot", value: { limiters: [{ name: "a" }, { name: "b" }] } },
    });
    const holder = await hold(client, "a");
    await until(stream, (event) => event.case === "changed" && event.value.status?.permitsInUse === 1n);
    await giveBack(client, holder);
    await until(stream, (event) => event.case === "changed" && event.value.status?.permitsInUse === 0n);
    await client.call(createLimiter, { limiter: { name: "c", maxConcurrent: 1 } });
    await until(stream, (event) => event.case === "changed" && event.value.name === "c");
    await client.call(deleteLimiter, { name: "c" });
    expect(await until(stream, (event) => event.case === "removed")).toMatchObject({ value: "c" });
    stream.cancel();
  }
});

test("a watcher of some limiters hears of no others, and of those also before they are there", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: a, max_concurrent: 1 }, { name: b, max_concurrent: 1 }]",
  );
  const client = server.grpc();
  const stream = client.open(watchLimiters, { names: ["b", "later"] });
  expect(await stream.next()).toMatchObject({ event: { case: "snapshot", value: { limiters: [{ name: "b" }] } } });
  await hold(client, "a");
  await client.call(createLimiter, { limiter: { name: "later", maxConcurrent: 1 } });
  const event = await until(stream, ({ case: kind }) => kind === "changed");
  expect(event).toMatchObject({ value: { name: "later" } });
  expect(stream.received.some((message) => message.event.case === "changed" && message.event.value.name === "a")).toBe(
    false,
  );
});

test("a watcher that does not read costs at most one message a limiter, and misses nothing but what is past", async () => {
  const limiters = Array.from({ length: 150 }, (_, i) => `l${i}`);
  const changes = 5;
  const description = "d".repeat(1000);
  await using server = await startTestServer(
    `limiters: [${limiters.map((name) => `{ name: ${name}, max_concurrent: 1, description: ${description} }`).join()}]`,
  );
  const slow = openGrpcCall(connectHttp2(server.address), pathOf(watchLimiters));
  slow.end(envelope(toBinary(watchLimiters.input, create(watchLimiters.input))));

  const client = server.grpc();
  const fast = client.open(watchLimiters, {});
  for (let maxConcurrent = 2; maxConcurrent < 2 + changes; maxConcurrent += 1) {
    const seen = new Set<string>();
    await Promise.all(limiters.map((name) => client.call(updateLimiter, { limiter: { name, maxConcurrent } })));
    await until(fast, (event) => {
      if (event.case === "changed" && event.value.maxConcurrent === maxConcurrent) seen.add(event.value.name);
      return seen.size === limiters.length;
    });
  }

  const latest = new Map<string, number>();
  let read = 0;
  for await (const message of messagesOf(slow)) {
    const { event } = fromBinary(watchLimiters.output, message);
    read += 1;
    if (event.case === "changed") latest.set(event.value.name, event.value.maxConcurrent ?? 0);
    if (limiters.every((name) => latest.get(name) === 1 + changes)) break;
  }
  // The snapshot, what flow control and buffers had room for, and the newest of each; the other has had them all.
  expect(read).toBeLessThan(2 * limiters.length);
  expect(fast.received.length).toBeGreaterThan(changes * limiters.length);
});
