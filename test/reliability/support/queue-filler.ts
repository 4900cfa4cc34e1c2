/**
 * One caller in a process of its own that fills a queue: it asks for as many waiters as it may have, and then again and again for one more. It sends
 * "full" when the first was refused. `node queue-filler.ts host:port TOKEN MAX_WAITERS`.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { CallFailure } from "../../support/call-failure.ts";
import type { ContractStream } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";

const [address = "", token = "", most = ""] = process.argv.slice(2);
/** Streams on one connection: fewer than it may have. */
const OF_ONE = 250;
/** ms between two that are refused: what this process computes is taken from a machine of two cores. */
const PAUSE = 50;

const headers = { authorization: `Bearer ${token}` };
const request = { claims: [{ limiter: "crowded" }] };
const ask = (client: ReturnType<typeof createGrpcClient>): ContractStream<unknown> =>
  client.open(AdmissionService.method.acquire, request, { headers });

process.on("disconnect", () => process.exit());
// One more holds the permit.
for (let left = Number(most) + 1; left > 0; left -= OF_ONE) {
  const client = createGrpcClient(address);
  await Promise.all(Array.from({ length: Math.min(left, OF_ONE) }, () => ask(client).next()));
}
const client = createGrpcClient(address);
for (let times = 0; ; times += 1) {
  const ending = (await ask(client).ending) as CallFailure | undefined;
  if (ending?.reason !== "CALLER_QUOTA") throw new Error(`the next was not refused: ${ending?.message}`);
  if (times === 0) process.send?.("full");
  await sleep(PAUSE);
}
