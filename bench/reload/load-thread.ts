/**
 * A thread that puts a server under load at a fixed pace, and joins watchers when it is asked to. The calls are frames written by
 * hand: a client of a library takes so much of the second core that the server's collector has to do without it.
 */

import { parentPort, workerData } from "node:worker_threads";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ReleaseRequestSchema,
  TryAcquireRequestSchema,
  TryAcquireResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createGrpcClient } from "../../test/support/grpc-client.ts";
import { answerOf, connectLoad } from "../load/connection.ts";
import { RELEASE, TRY_ACQUIRE } from "../load/verbs.ts";

export interface LoadJob {
  /** host:port */
  readonly address: string;
  /** The limiters that are asked, one after the other. */
  readonly limiters: readonly string[];
  readonly watchers: number;
  /** Calls a second, at this pace whatever becomes of them: pairs of TryAcquire and Release. */
  readonly calls: number;
}

/** `watch`: the watchers join, and it says when each has all that there is. `count`: it says how many calls were answered a second. */
export type ToLoad = "watch" | "count";
export type FromLoad = { readonly kind: "watching" } | { readonly kind: "count"; readonly calls: number };

/** ms between pairs that are sent together. */
const EVERY = 10;

const { address, limiters, watchers, calls } = workerData as LoadJob;
const pairs = Math.max(1, Math.round((calls / 2 / 1_000) * EVERY));
const connection = await connectLoad(address);
let done = 0;
let since = performance.now();
let turn = 0;

function pair(): void {
  turn = (turn + 7_919) % limiters.length;
  const request = create(TryAcquireRequestSchema, { claims: [{ limiter: limiters[turn] as string }] });
  connection.call(TRY_ACQUIRE, toBinary(TryAcquireRequestSchema, request), (bytes) => {
    done += 1;
    const { result } = fromBinary(TryAcquireResponseSchema, answerOf(bytes));
    if (result.case !== "granted") return;
    const { lease, secret } = result.value;
    const release = create(ReleaseRequestSchema, { leaseId: lease?.id ?? "", secret });
    connection.call(RELEASE, toBinary(ReleaseRequestSchema, release), () => {
      done += 1;
    });
  });
}

/** Reads all that a watcher is sent; resolves when it has what there is. */
function watch(): Promise<void> {
  const stream = createGrpcClient(address).open(LimiterService.method.watchLimiters, {});
  return new Promise((resolve) => {
    const read = async () => {
      for (;;) if (!(await stream.next()).more) resolve();
    };
    // The server is ended when all is measured.
    read().catch(() => {});
  });
}

setInterval(() => {
  for (let i = 0; i < pairs; i++) pair();
}, EVERY);

const say = (message: FromLoad) => parentPort?.postMessage(message);

parentPort?.on("message", async (question: ToLoad) => {
  if (question === "watch") {
    done = 0;
    since = performance.now();
    await Promise.all(Array.from({ length: watchers }, watch));
    say({ kind: "watching" });
  } else {
    say({ kind: "count", calls: (done * 1_000) / (performance.now() - since) });
  }
});
