import { create, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  AdmissionService,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createGrpcClient, pathOf } from "../support/grpc-client.ts";
import { statusOf, untilStatus } from "../support/look.ts";
import { connectMany, decoding } from "./support/many-streams.ts";
import { openRecord } from "./support/record.ts";
import { startSubject } from "./support/subject.ts";
import { inTier } from "./support/tier.ts";

const record = openRecord("many-waiters");

const WAITERS = inTier({ C: 10_000, N: 100_000 });
const STREAMS_A_CONNECTION = 1_000;
const PERMITS = 10;
const YAML = `
limiters: [{ name: db, max_concurrent: ${PERMITS}, max_waiters: ${WAITERS}, ttl: 60s }]
liveness: { heartbeat: 60s }
logging: { level: error }`;

test.each([
  ["gRPC", "grpc", "application/grpc"],
  ["web", "web", "application/grpc"],
] as const)(
  `${WAITERS} waiters on the %s port: each is granted once, in the order in which they came, and none is lost`,
  async (name, which, contentType) => {
    await using subject = await startSubject(YAML);
    const client = createGrpcClient(subject.server.address);
    onTestFinished(() => client[Symbol.asyncDispose]());
    const { acquire, release } = AdmissionService.method;
    const before = await subject.memory();
    using crowd = await connectMany({
      port: subject.ports[which],
      path: pathOf(acquire),
      contentType,
      streams: WAITERS,
      streamsAConnection: STREAMS_A_CONNECTION,
    });

    /** By the number of the waiter: its fencing token, which tells the order of grants. */
    const tokens = new Map<number, bigint>();
    const grantedTwice: number[] = [];
    const refused: string[] = [];
    const places: Promise<void>[] = [];
    const releases: Promise<unknown>[] = [];
    const all = Promise.withResolvers<void>();
    let mayRelease: () => void = () => {};
    const letGo = new Promise<void>((resolve) => {
      mayRelease = resolve;
    });
    for (let number = 0; number < WAITERS; number += 1) {
      const request = create(AcquireRequestSchema, { claims: [{ limiter: "db" }], holder: String(number) });
      const placed = Promise.withResolvers<void>();
      const stream = crowd.open(
        toBinary(AcquireRequestSchema, request),
        decoding(AcquireResponseSchema, ({ event }) => {
          placed.resolve();
          if (event.case !== "granted") return;
          if (tokens.has(number)) grantedTwice.push(number);
          const { lease, secret } = event.value;
          tokens.set(number, lease?.claims[0]?.fencingToken ?? 0n);
          const released = letGo.then(() => client.call(release, { leaseId: lease?.id ?? "", secret }));
          // They are all awaited at the end, if it comes to that.
          released.catch(() => {});
          releases.push(released);
          if (tokens.size === WAITERS) all.resolve();
        }),
      );
      stream.on("trailers", (trailers) => {
        if (trailers["grpc-status"] !== "0") refused.push(`${number}: ${trailers["grpc-message"]}`);
      });
      stream.on("close", () => {
        if (!tokens.has(number)) all.reject(new Error(`waiter ${number} lost its stream: ${refused.join(", ")}`));
        placed.resolve();
      });
      // One connection may overtake another: the next begins when the server has said something to all of this one.
      places.push(placed.promise);
      if (places.length % STREAMS_A_CONNECTION === 0) await Promise.all(places);
    }
    all.promise.catch(() => {});
    const { waiters } = await statusOf(client, "db");
    expect({ waiters, refused }).toEqual({ waiters: BigInt(WAITERS - PERMITS), refused: [] });
    const waiting = await subject.memory();
    const bytes = (waiting.rss - before.rss) / WAITERS;
    record({ figure: `${name}: resident memory for each waiter`, value: bytes / 1024, unit: "KB" });

    const begun = performance.now();
    mayRelease();
    await all.promise;
    record({ figure: `${name}: waiters granted`, value: tokens.size, unit: `of ${WAITERS}` });
    record({ figure: `${name}: grants a second`, value: (WAITERS / (performance.now() - begun)) * 1000, unit: "/s" });
    await Promise.all(releases);
    expect({ refused, grantedTwice }).toEqual({ refused: [], grantedTwice: [] });
    const order = [...tokens].sort(([, a], [, b]) => (a < b ? -1 : 1)).map(([number]) => number);
    expect(order).toEqual(Array.from({ length: WAITERS }, (_, number) => number));
    expect(new Set(tokens.values()).size).toBe(WAITERS);
    await untilStatus(client, "db", ({ permitsInUse }) => permitsInUse === 0n);
    expect((await statusOf(client, "db")).grantedCount).toBe(BigInt(WAITERS));
    expect({ alive: subject.isAlive(), faults: subject.faults }).toEqual({ alive: true, faults: [] });
  },
  inTier({ C: 180_000, N: 1_800_000 }),
);
