/** What a waiter costs: thousands of open Acquire streams, on both ports, against streams of grpc-js alone. */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  AdmissionService,
} from "../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { connectMany } from "../test/reliability/support/many-streams.ts";
import { pathOf } from "../test/support/grpc-client.ts";
import { type MeasuredServer, pinLoad, pinning, startBare, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const WAITERS = 10_000;
const STREAMS_A_CONNECTION = 1_000;
const ROUNDS = { rounds: 3, warmUp: 0 };
const ACQUIRE = pathOf(AdmissionService.method.acquire);
const LIMITER = `limiters: [{ name: db, max_concurrent: 1, max_waiters: ${WAITERS} }]\n`;
const REQUEST = toBinary(
  AcquireRequestSchema,
  create(AcquireRequestSchema, { claims: [{ limiter: "db" }], holder: "bench-holder-1" }),
);
const WAITING = toBinary(
  AcquireResponseSchema,
  create(AcquireResponseSchema, { event: { case: "waiting", value: { waitersAhead: 1 } } }),
);

interface Opened {
  /** KB of resident memory for each stream. */
  readonly side: Side;
  /** Round by round: KB of heap and buffers for each, and streams opened a second. */
  readonly heap: number[];
  readonly rate: number[];
}

/** A server of its own for each round, since what memory it once had it seldom gives back. */
function opening(start: () => Promise<MeasuredServer & { readonly port: number }>, contentType: string): Opened {
  const opened = { heap: [] as number[], rate: [] as number[] };
  return {
    ...opened,
    async side() {
      await using server = await start();
      const shape = { port: server.port, path: ACQUIRE, contentType, streamsAConnection: STREAMS_A_CONNECTION };
      // What is made once is made before the measurement.
      using first = await connectMany({ ...shape, streams: 1 });
      await new Promise<void>((resolve) => first.open(REQUEST, () => resolve()));
      const before = await server.usageCollected();
      using crowd = await connectMany({ ...shape, streams: WAITERS });
      const begun = performance.now();
      for (let connection = 0; connection < WAITERS / STREAMS_A_CONNECTION; connection += 1) {
        const placed = Array.from(
          { length: STREAMS_A_CONNECTION },
          () => new Promise<void>((resolve) => crowd.open(REQUEST, () => resolve())),
        );
        await Promise.all(placed);
      }
      opened.rate.push((WAITERS * 1000) / (performance.now() - begun));
      const after = await server.usageCollected();
      opened.heap.push((after.heap - before.heap) / WAITERS / 1024);
      return (after.rss - before.rss) / WAITERS / 1024;
    },
  };
}

const portOf = (address: string) => Number(address.slice(address.lastIndexOf(":") + 1));
const startGrpc = async () => {
  const server = await startMeasured(LIMITER);
  return { ...server, port: portOf(server.address) };
};
const startWeb = async () => {
  const server = await startMeasured(LIMITER);
  return { ...server, port: portOf(server.url) };
};
const startTheirs = async () => {
  const server = await startBare("bytes", { [ACQUIRE]: WAITING });
  return { ...server, port: portOf(server.address) };
};

pinLoad();
const grpc = opening(startGrpc, "application/grpc");
const connect = opening(startWeb, "application/connect+proto");
const theirs = opening(startTheirs, "application/grpc");
const memory = await inTurns({ grpc: grpc.side, connect: connect.side, theirs: theirs.side }, ROUNDS);

report({
  name: "waiting-streams",
  figures: [
    {
      what: "resident memory for each waiter over gRPC, to a stream of grpc-js",
      unit: "×",
      spread: ratioOf(memory.grpc, memory.theirs),
    },
    { what: "gRPC: resident memory for each", unit: "KB", spread: spreadOf(memory.grpc) },
    { what: "gRPC: heap for each", unit: "KB", spread: spreadOf(grpc.heap) },
    { what: "gRPC: opened", unit: "/s", spread: spreadOf(grpc.rate) },
    { what: "Connect over HTTP/2: resident memory for each", unit: "KB", spread: spreadOf(memory.connect) },
    { what: "Connect over HTTP/2: heap for each", unit: "KB", spread: spreadOf(connect.heap) },
    { what: "Connect over HTTP/2: opened", unit: "/s", spread: spreadOf(connect.rate) },
    { what: "grpc-js alone: resident memory for each", unit: "KB", spread: spreadOf(memory.theirs) },
    { what: "grpc-js alone: heap for each", unit: "KB", spread: spreadOf(theirs.heap) },
    { what: "grpc-js alone: opened", unit: "/s", spread: spreadOf(theirs.rate) },
  ],
  notes: [
    `${WAITERS} streams, ${STREAMS_A_CONNECTION} on a connection, on a fresh server each round, after a collection; ${pinning()}.`,
    "A stream of grpc-js alone has been answered once and decides nothing.",
  ],
});
