/**
 * One trial: a holder behind a proxy of its own, a rival that is connected directly, one permit for which both contend all
 * the time, and a fault.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Client, Lease } from "../../../../src/client/index.ts";
import { type Contender, startContender } from "./contender.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import { createPermit } from "./permit.ts";
import { BRIEF, cutsOff, isBrief, isOneWay, LONGEST, type Plan } from "./plan.ts";
import { connectBy, type Way } from "./ways.ts";

export interface Ground {
  /** host:port, by which the server is reached this way. */
  readonly target: (way: Way) => string;
  /** The rival's. */
  readonly direct: Client;
  /** Of the limiter `db`, for this trial alone. */
  readonly key: string;
  /** ms from the last sign of a holder until the permit must be another's. */
  readonly bound: number;
  /** Whether the holder looks at its lease's signal. */
  readonly looks: boolean;
}

export interface Trial {
  /** The most that were at work at once. */
  readonly most: number;
  /** What was wrong, or late. */
  readonly complaints: readonly string[];
  /** ms from the last sign of a holder that was cut off until the rival was granted; undefined: it was not cut off. */
  readonly regrantedAfter: number | undefined;
  /** Whether the same lease was still good after a fault that was brief. */
  readonly wentOn: boolean | undefined;
}

/** ms: half the ttl. */
const VALID_FOR = 500;
/** ms for whatever only has to come to an end: an answer that hangs on an HTTP/1.1 connection is waited for for ten seconds. */
const PATIENCE = 20_000;

export async function runTrial(planned: Plan, { target, direct, key, bound, looks }: Ground): Promise<Trial> {
  const { fault, way, moment, detached, lead, work } = planned;
  const complaints: string[] = [];
  const permit = createPermit();
  const over = new AbortController();
  const reached = Promise.withResolvers<Lease | undefined>();
  const settled = Promise.withResolvers<void>();
  const yielded = Promise.withResolvers<void>();
  await using proxy = await startFaultProxy(target(way));
  await using connected = connectBy(way, proxy.address);
  const { client } = connected;
  const common = { permit, over: over.signal, onError: (error: unknown) => void complaints.push(String(error)) };

  const startRival = () =>
    startContender({
      ...common,
      ask: (options) => direct.acquire("db", { key, ...options }),
      work: (round) => (moment === "waiting" && round === 0 ? yielded.promise : sleep(work)),
    });
  const startHolder = () =>
    startContender({
      ...common,
      async ask(options) {
        const asked = { key, ...options };
        const answer = await (detached ? client.tryAcquire("db", asked) : client.acquire("db", asked));
        return answer.granted && !looks ? unseen(answer) : answer;
      },
      work: (round) => (moment === "holding" && round === 0 ? settled.promise : sleep(work)),
      onMoment: (now, lease) => void (now === moment && reached.resolve(lease)),
    });

  /** Resolves at the moment of the strike, with the lease that is held then, if the moment has one. */
  async function takePlaces(): Promise<{ holder: Contender; rival?: Contender; lease: Lease | undefined }> {
    let rival: Contender | undefined;
    if (moment === "waiting") {
      rival = startRival();
      await rival.granted();
    }
    const holder = startHolder();
    if (moment === "holding" || moment === "releasing") {
      await holder.granted();
      rival = startRival();
    }
    const lease = await reached.promise;
    if (lead > 0) await sleep(lead);
    return { holder, ...(rival && { rival }), lease: lease?.signal.aborted ? undefined : lease };
  }

  async function lookAt(
    lease: Lease,
    struckAt: number,
    healed: Promise<void> | undefined,
  ): Promise<boolean | undefined> {
    if (cutsOff(plan)) {
      await sleep(struckAt + VALID_FOR + 2 - performance.now());
      if (!lease.signal.aborted) complaints.push("the signal has not aborted when the validity had run out");
      return undefined;
    }
    await healed;
    await sleep(Math.max(0, struckAt + VALID_FOR - performance.now()) + BRIEF);
    const isGood = !lease.signal.aborted;
    if (isGood && !(await isHeld(direct, key, lease))) complaints.push("the server has another lease than its holder");
    return isBrief(plan) ? isGood : undefined;
  }

  const { holder, lease, ...places } = await takePlaces();
  // A client that asks again and again, and is heard, is no dead peer, though it hears nothing.
  const plan = {
    ...planned,
    lasts: isOneWay(fault) && lease === undefined ? Math.min(planned.lasts, LONGEST) : planned.lasts,
  };
  proxy.strike(fault);
  const struckAt = performance.now();
  const healed = plan.lasts === Number.POSITIVE_INFINITY ? undefined : sleep(plan.lasts).then(() => proxy.heal());
  const rival = places.rival ?? startRival();
  const regranted = rival.granted();
  if (moment === "waiting") sleep(work).then(yielded.resolve);
  const wentOn = lease === undefined ? undefined : await lookAt(lease, struckAt, healed);
  // A holder that is cut off goes on until its signal aborts.
  if (!cutsOff(plan)) settled.resolve();

  let regrantedAfter: number | undefined;
  const grantedAt = await within(cutsOff(plan) ? bound + BRIEF : PATIENCE, regranted);
  settled.resolve();
  if (grantedAt === undefined) {
    complaints.push("the rival was never granted");
  } else if (cutsOff(plan)) {
    const lastSign = isOneWay(fault) ? Math.max(struckAt, proxy.passedUpAt) : struckAt;
    regrantedAfter = grantedAt - lastSign;
    if (regrantedAfter > bound) complaints.push(`the rival was granted ${regrantedAfter} ms after the last sign`);
  }
  await healed;
  if (healed !== undefined && (await within(PATIENCE, holder.granted())) === undefined) {
    complaints.push("the holder has not come back");
  }
  over.abort(new Error("the trial is over"));
  await proxy[Symbol.asyncDispose]();
  const ended = Promise.all([holder.ended, rival.ended, client.close()]);
  if ((await within(PATIENCE, ended)) === undefined) complaints.push("the client does not come to its end");
  return { most: permit.most, complaints, regrantedAfter, wentOn };
}

/** Undefined: that took too long. */
function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const late = sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  return Promise.race([promise, late]).finally(() => over.abort());
}

/** A lease whose holder will never know that it has lost it. */
function unseen(lease: Lease): Lease {
  return Object.create(lease, { signal: { value: new AbortController().signal } });
}

async function isHeld(direct: Client, key: string, { id, claims }: Lease): Promise<boolean> {
  for await (const held of direct.limiters.leases({ limiter: "db", key })) {
    if (held.id === id && held.claims[0]?.fencingToken === claims[0]?.fencingToken) return true;
  }
  return false;
}
