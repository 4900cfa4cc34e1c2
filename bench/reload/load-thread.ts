/** A thread that puts a server under load at a fixed pace, and joins watchers when it is told to: holders have one of their own. */

import { parentPort, workerData } from "node:worker_threads";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createGrpcClient } from "../../test/support/grpc-client.ts";

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
const client = createGrpcClient(address);
let done = 0;
let since = performance.now();
let turn = 0;

async function pair(): Promise<void> {
  turn = (turn + 7_919) % limiters.length;
  const claims = [{ limiter: limiters[turn] as string }];
  const { result } = await client.call(AdmissionService.method.tryAcquire, { claims });
  done += 1;
  if (result.case !== "granted") return;
  const { lease, secret } = result.value;
  if (lease === undefined) return;
  await client.call(AdmissionService.method.release, { leaseId: lease.id, secret });
  done += 1;
}

/** Reads all that a watcher is told; resolves when it has what there is. */
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
  for (let i = 0; i < pairs; i++) pair().catch(() => {});
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
