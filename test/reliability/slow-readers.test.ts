import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import type { Usage } from "../../bench/servers/probe.ts";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService, WatchBoardRequestSchema } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import {
  LimiterService,
  WatchLimitersRequestSchema,
} from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createGrpcClient, pathOf } from "../support/grpc-client.ts";
import { statusOf, untilStatus } from "../support/look.ts";
import { BYSTANDER_LIMITER, startBystander } from "./support/bystander.ts";
import { connectMany } from "./support/many-streams.ts";
import { openRecord } from "./support/record.ts";
import { startStock } from "./support/stock.ts";
import { PROBE, startSubject } from "./support/subject.ts";

const record = openRecord("slow-readers");

const READERS = 1_000;
const WATCHERS = 20;
const HOLDERS = 600;
/** ms. */
const KEEPALIVE_TIME = 2_000;
const KEEPALIVE_TIMEOUT = 1_000;
const TTL = 4_000;
const PATIENCE = KEEPALIVE_TIME + KEEPALIVE_TIMEOUT;
/** ms that a look at stuck readers, and the machine, may be late by. */
const LATE = 3_000;
/** Bytes. */
const MOST_MEMORY = 100 << 20;

const YAML = `
limiters:
  - ${BYSTANDER_LIMITER}
  - { name: db, max_concurrent: ${HOLDERS}, max_waiters: ${READERS}, ttl: ${TTL}ms }
boards: [{ name: board, stages: [{ name: Backlog }, { name: Work, kind: WORK }, { name: Done }] }]
liveness: { keepalive_time: ${KEEPALIVE_TIME}ms, keepalive_timeout: ${KEEPALIVE_TIMEOUT}ms, heartbeat: 100ms }
logging: { level: error }`;

const ACQUIRE = toBinary(
  AcquireRequestSchema,
  create(AcquireRequestSchema, { claims: [{ limiter: "db" }], holder: "x".repeat(200) }),
);
const { acquire } = AdmissionService.method;

test.each([
  ["gRPC", "grpc", "application/grpc"],
  ["web", "web", "application/connect+proto"],
] as const)(
  `${READERS} streams on the %s port that never read cost at most ${MOST_MEMORY >> 20} MB, and what they hold is orphaned`,
  async (name, which, contentType) => {
    await using subject = await startSubject(YAML);
    const { server } = subject;
    const port = subject.ports[which];
    const client = createGrpcClient(server.address);
    onTestFinished(() => client[Symbol.asyncDispose]());
    using bystander = await startBystander(server.address);
    const shape = { port, contentType, window: 0, streamsAConnection: 500 };
    const { watchLimiters } = LimiterService.method;
    const { watchBoard } = BoardService.method;
    using crowd = await connectMany({ ...shape, path: pathOf(acquire), streams: READERS });
    using limiters = await connectMany({ ...shape, path: pathOf(watchLimiters), streams: WATCHERS });
    using boards = await connectMany({ ...shape, path: pathOf(watchBoard), streams: WATCHERS });

    const before = await subject.memory();
    await bystander.take();
    const begun = performance.now();
    const streams = Array.from({ length: READERS }, () => crowd.open(ACQUIRE));
    const watching = toBinary(WatchLimitersRequestSchema, create(WatchLimitersRequestSchema, { names: ["bystander"] }));
    const looking = toBinary(WatchBoardRequestSchema, create(WatchBoardRequestSchema, { name: "board" }));
    for (let i = 0; i < WATCHERS; i += 1) streams.push(limiters.open(watching), boards.open(looking));
    // Nothing reads what they say, and yet their end has to be noticed.
    const closed = Promise.all(streams.map((stream) => new Promise((resolve) => stream.once("close", resolve))));
    for (const stream of streams) stream.resume();
    await untilStatus(client, "db", ({ permitsInUse, waiters }) => permitsInUse + waiters === BigInt(READERS));
    expect(performance.now() - begun).toBeLessThan(PATIENCE);

    // They are owed a heartbeat ten times a second, and each pair of the bystander changes what the watchers watch.
    await closed;
    const cut = performance.now() - begun;
    // Waiters are gone with their streams; leases live on for their ttl.
    expect((await statusOf(client, "db")).permitsInUse).toBe(BigInt(HOLDERS));
    const meanwhile = await subject.memory();
    await untilStatus(client, "db", ({ permitsInUse, waiters }) => permitsInUse === 0n && waiters === 0n);
    const freed = performance.now() - begun;
    const sight = await bystander.take();
    const grown = meanwhile.rss - before.rss;
    record({
      figure: `${name}: resident memory of ${READERS} streams that never read`,
      value: grown / 2 ** 20,
      unit: "MB",
    });
    record({ figure: `${name}: such streams are cut after`, value: cut, unit: "ms" });
    record({ figure: `${name}: their permits are free after`, value: freed, unit: "ms" });
    record({ figure: `${name}: p99 of another client's pair of calls`, value: sight.p99, unit: "ms" });
    expect(grown).toBeLessThan(MOST_MEMORY);
    expect(cut).toBeGreaterThan(PATIENCE - 100);
    expect(freed).toBeGreaterThan(PATIENCE + TTL - 100);
    expect(freed).toBeLessThan(PATIENCE + TTL + LATE);
    expect({ alive: subject.isAlive(), faults: subject.faults, failures: sight.failures }).toEqual({
      alive: true,
      faults: [],
      failures: [],
    });
  },
  60_000,
);

test("control: a stock grpc-js server keeps all that is unread, and keeps its readers", async () => {
  await using stock = await startStock("grpc-js", ["--import", PROBE]);
  const memory = async () => {
    stock.process.send({ kind: "usage" });
    const [usage] = (await once(stock.process, "message")) as [Usage];
    return usage.rss;
  };
  using crowd = await connectMany({
    port: stock.port,
    path: pathOf(acquire),
    contentType: "application/grpc",
    streams: READERS,
    streamsAConnection: 500,
    window: 0,
  });
  const before = await memory();
  const streams = Array.from({ length: READERS }, () => crowd.open(ACQUIRE).resume());
  const begun = performance.now();
  let grown = 0;
  while (grown < MOST_MEMORY && performance.now() - begun < 30_000) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    grown = (await memory()) - before;
  }
  const left = streams.filter((stream) => !stream.destroyed).length;
  record({
    figure: "a stock server that talks to readers that never read",
    value: grown / 2 ** 20,
    unit: "MB",
    control: `${left} of ${READERS} streams were left after ${Math.round(performance.now() - begun)} ms`,
  });
  expect(grown).toBeGreaterThan(MOST_MEMORY);
  expect(left).toBe(READERS);
}, 60_000);
