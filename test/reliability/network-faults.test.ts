/** Faults of the network between a holder and the server: no two work at once, no waiter waits for a dead holder. */

import { expect, test } from "vitest";
import { type Client, connect } from "../../src/client/index.ts";
import { aborted } from "../client/support/aborted.ts";
import { createDice } from "../server/machine/dice.ts";
import { startServerProcess } from "../support/server-process.ts";
import { type Bug, withBugs } from "./support/bug.ts";
import { STREAMS_ARE_LIFE } from "./support/network/bug.ts";
import { startFaultProxy } from "./support/network/fault-proxy.ts";
import { describePlan, FAULT_NAMES, type Plan, planTrial } from "./support/network/plan.ts";
import { runTrial, type Trial } from "./support/network/trial.ts";
import { connectBy, type Way } from "./support/network/ways.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("network-faults");
const seed = seedOf("network-faults");

const TRIALS = inTier({ C: 25, N: 500 });
const SIDE_BY_SIDE = 25;
/** ms */
const TTL = 1_000;
const KEEPALIVE_TIME = 300;
const KEEPALIVE_TIMEOUT = 500;
/** ms for the server to see that a peer is dead, and for a machine that does other things as well. */
const NOTICING = 1_000;
const SLACK = 1_000;
const BOUND = KEEPALIVE_TIME + KEEPALIVE_TIMEOUT + TTL + NOTICING + SLACK;
/** Of the leases whose connection failed for a tenth of a second, at most so many may be lost: renewals are late, too. */
const LOST_AT_MOST = 0.2;

const CUT_OFF: Plan = {
  fault: { kind: "black hole", direction: "both" },
  way: "gRPC",
  moment: "holding",
  detached: false,
  lead: 100,
  lasts: Number.POSITIVE_INFINITY,
  work: 100,
};

interface Tried {
  readonly plan: Plan;
  readonly trial: Trial;
}

/** Runs all these trials against one server, many at a time. */
async function runTrials(
  plans: readonly Plan[],
  { keepaliveTime = `${KEEPALIVE_TIME}ms`, looks = true, bugs = [] as readonly Bug[] } = {},
): Promise<readonly Tried[]> {
  const yaml = `
liveness: { keepalive_time: ${keepaliveTime}, keepalive_timeout: ${KEEPALIVE_TIMEOUT}ms, heartbeat: 500ms }
limiters: [{ name: db, keyed: true, max_concurrent: 1, ttl: ${TTL}ms }]
logging: { level: warn }`;
  await using server = await startServerProcess(yaml, { nodeArguments: withBugs(bugs) });
  const target = (way: Way) => (way === "gRPC" ? server.address : new URL(server.url).host);
  await using direct = connect(server.address, { answerWithin: 30_000 });
  const tried: Tried[] = [];
  for (let from = 0; from < plans.length; from += SIDE_BY_SIDE) {
    const batch = plans.slice(from, from + SIDE_BY_SIDE).map(async (plan, index) => {
      const ground = { target, direct, key: `trial ${from + index}`, bound: BOUND, looks };
      return { plan, trial: await runTrial(plan, ground) };
    });
    tried.push(...(await Promise.all(batch)));
  }
  // Whatever was lost on the way has run out, and no waiter is left.
  const deadline = performance.now() + BOUND;
  for (;;) {
    const { permitsInUse, waiters, leases } = (await direct.limiters.get("db")).status;
    if (permitsInUse + waiters + leases === 0) return tried;
    if (performance.now() > deadline) throw new Error(`${permitsInUse} permits are in use still, ${waiters} wait`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const overlapsOf = (tried: readonly Tried[]) =>
  tried.filter(({ trial }) => trial.most > 1).map(({ plan }) => describePlan(plan));
const complaintsOf = (tried: readonly Tried[]) =>
  tried.flatMap(({ plan, trial }) => trial.complaints.map((complaint) => `${complaint}: ${describePlan(plan)}`));

test.each(FAULT_NAMES.map((name, index) => [name, index] as const))(
  `%s, ${TRIALS} times: one at work at a time, the dead are found, and a holder that comes back has its lease`,
  { timeout: TRIALS * 4_000 + 60_000, retry: 0 },
  async (name, number) => {
    const first = seed + number * TRIALS;
    const plans = Array.from({ length: TRIALS }, (_, index) => planTrial(name, index, createDice(first + index)));
    const tried = await runTrials(plans);
    const after = tried.flatMap(({ trial }) => trial.regrantedAfter ?? []);
    const brief = tried.flatMap(({ trial }) => trial.wentOn ?? []);
    record({
      figure: `${name}: most at work`,
      value: Math.max(...tried.map(({ trial }) => trial.most)),
      unit: "of 1 permit",
      seed,
    });
    if (after.length > 0) {
      record({
        figure: `${name}: longest from a holder's last sign to the next grant`,
        value: Math.max(...after),
        unit: "ms",
        seed,
      });
    }
    expect(overlapsOf(tried)).toEqual([]);
    expect(complaintsOf(tried)).toEqual([]);
    expect(brief.filter((wentOn) => !wentOn).length).toBeLessThanOrEqual(Math.max(1, brief.length * LOST_AT_MOST));
  },
);

test("control: a server that takes an open stream for a sign of life, and pings once an hour, is late", {
  timeout: 90_000,
}, async () => {
  const tried = await runTrials(
    Array.from({ length: 5 }, () => CUT_OFF),
    { keepaliveTime: "1h", bugs: [STREAMS_ARE_LIFE] },
  );
  expect(complaintsOf(tried)).toHaveLength(5);
  expect(complaintsOf(tried)[0]).toMatch(/^the rival was never granted/);
});

test.concurrent("control: a holder that does not look at its signal works beside the next one", async ({ expect }) => {
  const tried = await runTrials(
    Array.from({ length: 5 }, () => CUT_OFF),
    { looks: false },
  );
  expect(tried.map(({ trial }) => trial.most)).toEqual([2, 2, 2, 2, 2]);
  expect(complaintsOf(tried).filter((complaint) => complaint.startsWith("the signal has not aborted"))).toHaveLength(5);
});

test.each(["gRPC", "Connect over h2c"] as const)(
  "%s: a client that gives its connection up, since no ping is answered, does not give its leases back by that",
  async (way) => {
    await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 3, ttl: 10s }]");
    await using proxy = await startFaultProxy(way === "gRPC" ? server.address : new URL(server.url).host);
    const lost = Promise.withResolvers<void>();
    const resumed = new Map<string, () => void>();
    await using holder = connectBy(way, proxy.address, (event) => {
      if (event.kind === "resuming") lost.resolve();
      else if (event.kind === "resumed") resumed.get(event.leaseId)?.();
    });
    const fates: Promise<unknown>[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { id, signal } = await holder.client.acquire("db");
      const { promise, resolve } = Promise.withResolvers<string>();
      resumed.set(id, () => resolve("resumed"));
      fates.push(Promise.race([promise, aborted(signal)]));
    }
    proxy.strike({ kind: "black hole", direction: "down" });
    await lost.promise;
    proxy.heal();
    expect(await Promise.all(fates)).toEqual(["resumed", "resumed", "resumed"]);
  },
);

test("waiters whose connection the server gives up, since no ping is answered, wait on in their places", async () => {
  await using server = await startServerProcess(`
liveness: { keepalive_time: 200ms, keepalive_timeout: 300ms }
limiters: [{ name: db, max_concurrent: 1, ttl: 10s }]`);
  await using direct = connect(server.address, { answerWithin: 30_000 });
  const held = await direct.acquire("db");
  await using proxy = await startFaultProxy(server.address);
  // It pings seldom, so that the server is the first to see it.
  await using client = connect(proxy.address, { answerWithin: 30_000 });
  const order: number[] = [];
  const waiting = [];
  for (let number = 0; number < 3; number += 1) {
    const { promise: waits, resolve: onWaiting } = Promise.withResolvers<void>();
    const asked = client.acquire("db", { onWaiting: () => onWaiting(), maxWait: 60_000 });
    const done = asked.then((lease) => {
      order.push(number);
      return lease.release();
    });
    waiting.push(done.catch(String));
    await waits;
  }
  // What the client says is lost, its answers to pings among it; what the server says is not.
  proxy.strike({ kind: "drop", direction: "up" });
  await Promise.race([untilWaiters(direct, 0), ...waiting]);
  proxy.heal();
  await Promise.race([untilWaiters(direct, 3), ...waiting]);
  await held.release();
  expect(await Promise.all(waiting)).toEqual(["released", "released", "released"]);
  expect(order).toEqual([0, 1, 2]);
});

/** Resolves when so many wait, and are there. */
async function untilWaiters(client: Client, count: number): Promise<void> {
  for await (const event of client.limiters.watch({ names: ["db"] })) {
    const limiter =
      event.kind === "snapshot" ? event.limiters[0] : event.kind === "changed" ? event.limiter : undefined;
    if (limiter?.status.waiters === count) return;
  }
}
