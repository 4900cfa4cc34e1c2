/** One caller fills a queue, and asks on: its next waiter is refused, and other callers are answered as fast as in peace. */

import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { untilStatus } from "../support/look.ts";
import { BYSTANDER_LIMITER, type Bystander, type Sight, startBystander } from "./support/bystander.ts";
import { openRecord } from "./support/record.ts";
import { type Subject, startSubject } from "./support/subject.ts";
import { inTier } from "./support/tier.ts";

const record = openRecord("caller-queue");
const FILLER = fileURLToPath(new URL("support/queue-filler.ts", import.meta.url));

const MAX_WAITERS = 1_000;
/** Both states so many times in turn, so that what the machine does besides is in both. */
const ROUNDS = inTier({ C: 5, N: 25 });
/** ms of each look. */
const LOOK = 3_000;
/**
 * How many times what is seen in peace, and ms more in any case. Of the slowest calls a hundredth is the machine's own doing, which gives a
 * core to others now and then.
 */
const MOST = { median: { times: 1.1, more: 2 }, p99: { times: 2, more: 10 } };

const TOKEN = `bp_filler_${randomBytes(32).toString("base64url")}`;
const YAML = `
limiters:
  - ${BYSTANDER_LIMITER}
  - { name: crowded, max_concurrent: 1, ttl: 1s, max_ttl: 1s }
allow_anonymous: true
auth: { tokens: [{ name: filler, sha256: ["${digestOf(TOKEN).toString("hex")}"] }] }
access:
  - { who: ["token:filler"], may: [acquire], limiters: [crowded], bounds: { max_waiters: ${MAX_WAITERS}, max_leases: 2000 } }
  - { who: [anonymous], may: [acquire, observe], limiters: ["*"] }
logging: { level: error }
`;

/** What the bystander sees in a while. */
async function look(bystander: Bystander): Promise<Sight> {
  await bystander.take();
  await new Promise((resolve) => setTimeout(resolve, LOOK));
  const sight = await bystander.take();
  expect(sight.failures).toEqual([]);
  return sight;
}

async function lookBesideFull({ server }: Subject, bystander: Bystander): Promise<Sight> {
  const child = fork(FILLER, [server.address, TOKEN, String(MAX_WAITERS)], { execArgv: [] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  const sight = await look(bystander);
  expect(child.exitCode).toBe(null);
  child.kill("SIGKILL");
  const client = createGrpcClient(server.address);
  await untilStatus(client, "crowded", ({ waiters, permitsInUse }) => waiters + permitsInUse === 0n);
  await client[Symbol.asyncDispose]();
  return sight;
}

test(`beside a caller with ${MAX_WAITERS} waiters, whose next is refused, half of others' calls are as fast as in peace, to a tenth`, {
  timeout: ROUNDS * 30_000 + 60_000,
}, async () => {
  await using subject = await startSubject(YAML);
  using bystander = await startBystander(subject.server.address);
  // What is made once is made before the first look.
  await lookBesideFull(subject, bystander);
  const [calm, beside]: [Sight[], Sight[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    calm.push(await look(bystander));
    beside.push(await lookBesideFull(subject, bystander));
  }
  for (const figure of ["median", "p99"] as const) {
    // Of the quietest round of each.
    const [inPeace = 0, besideFull = 0] = [calm, beside].map((sights) =>
      Math.min(...sights.map((each) => each[figure])),
    );
    record({ figure: `in peace: ${figure} of a pair of calls`, value: inPeace, unit: "ms" });
    record({ figure: `beside ${MAX_WAITERS} waiters of another caller: ${figure}`, value: besideFull, unit: "ms" });
    expect.soft(besideFull, figure).toBeLessThan(MOST[figure].times * inPeace + MOST[figure].more);
  }
  expect({ alive: subject.isAlive(), faults: subject.faults }).toEqual({ alive: true, faults: [] });
});
