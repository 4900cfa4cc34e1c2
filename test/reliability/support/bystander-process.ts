/**
 * A well-behaved client in a process of its own, so that what it measures is the server: TryAcquire and Release, one pair
 * after another. Asked with "take", it tells what it has seen since the last time.
 */

import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createConnectClient } from "../../support/connect-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import type { Sight } from "./bystander.ts";

const [address = ""] = process.argv.slice(2);
/** ms between two pairs. */
const PAUSE = 5;
/** ms that a call may take before it counts as failed. */
const TIMEOUT = 10_000;

const client = address.startsWith("http:")
  ? createConnectClient(address, { protocol: "connect", httpVersion: "2" })
  : createGrpcClient(address);
const { tryAcquire, release } = AdmissionService.method;
let took: number[] = [];
let failures: string[] = [];
let begun = performance.now();

async function pair(): Promise<void> {
  const { result } = await client.call(tryAcquire, { claims: [{ limiter: "bystander" }] }, { timeout: TIMEOUT });
  if (result.case !== "granted") throw new Error(`${result.case}`);
  const { lease, secret } = result.value;
  await client.call(release, { leaseId: lease?.id ?? "", secret }, { timeout: TIMEOUT });
}

process.on("message", () => {
  // The one that is still on its way counts with what it has taken so far.
  took.push(performance.now() - begun);
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  const sight: Sight = { pairs: took.length, median: at(0.5), p99: at(0.99), worst: at(1), failures };
  took = [];
  failures = [];
  process.send?.(sight);
});
process.on("disconnect", () => process.exit());

await pair();
process.send?.("ready");
for (;;) {
  begun = performance.now();
  try {
    await pair();
  } catch (thrown) {
    failures.push(String(thrown));
  }
  took.push(performance.now() - begun);
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
}
