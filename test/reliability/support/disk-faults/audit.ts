/** A server that was started again, held against the ledger: what was answered is there, and nothing that was refused. */

import { AdmissionService } from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Lease } from "../../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import type { ContractClient } from "../../../support/contract-client.ts";
import type { Ledger } from "./ledger.ts";
import { BOARD, LIMITER } from "./load.ts";

const { tryAcquire, renew, release } = AdmissionService.method;
const { listLeases, revokeLease, getLimiter, listLimiters } = LimiterService.method;

/** Leaves no lease behind; breaches stand in the ledger. */
export async function audit(client: ContractClient, ledger: Ledger): Promise<void> {
  await auditThings(client, ledger);
  const leases = await readLeases(client, ledger);
  for (const { holder, answer } of ledger.asks) {
    if (answer.kind === "granted" && leases.get(holder)?.id !== answer.leaseId)
      ledger.breach(`the lease of ${holder} was granted, and is gone`);
  }
  await auditRenewal(client, ledger);
  ledger.closeTokens();
  await auditRetries(client, ledger, leases);
  await giveAllBack(client, ledger);
  await auditTokens(client, ledger);
  ledger.settle();
}

/** As above, where the server cannot know all leases: it knows cards and limiters, and grants nothing new. */
export async function auditLearning(client: ContractClient, ledger: Ledger): Promise<void> {
  await auditThings(client, ledger);
  await readLeases(client, ledger);
  const { result } = await client.call(tryAcquire, { claims: [{ limiter: LIMITER }] });
  if (result.case !== "refused" || result.value.reason !== Reason.LEARNING)
    ledger.breach(`leases may be missing, and a permit is ${result.case}`);
}

async function auditThings(client: ContractClient, ledger: Ledger): Promise<void> {
  const { cards } = await client.call(BoardService.method.listCards, { board: BOARD, pageSize: 1_000 });
  const { limiters } = await client.call(listLimiters, { pageSize: 1_000 });
  const found = {
    card: new Map(cards.map(({ id, title }) => [id, title])),
    limiter: new Map(limiters.map(({ name, description }) => [name, description])),
  };
  for (const thing of ledger.things) {
    const { of, name, state, asked } = thing;
    const now = found[of].get(name);
    found[of].delete(name);
    if (now !== state && (asked === undefined || now !== asked.state))
      ledger.breach(`the ${of} ${name} is ${now}; ${state} was answered, ${asked?.state} was asked for after that`);
    thing.state = now;
  }
  found.limiter.delete(LIMITER);
  for (const kind of ["card", "limiter"] as const) {
    for (const name of found[kind].keys()) ledger.breach(`the ${kind} ${name} was never asked for, or is back`);
  }
}

/** By their holders, each of which has asked for one. */
async function readLeases(client: ContractClient, ledger: Ledger): Promise<ReadonlyMap<string, Lease>> {
  const { leases } = await client.call(listLeases, { limiter: LIMITER, pageSize: 1_000 });
  const { limiter } = await client.call(getLimiter, { name: LIMITER });
  const inUse = Number(limiter?.status?.permitsInUse);
  if (inUse > ledger.permits || inUse !== leases.length)
    ledger.breach(`${inUse} of ${ledger.permits} permits are in use, by ${leases.length} leases`);
  const asks = new Map(ledger.asks.map((ask) => [ask.holder, ask]));
  const byHolder = new Map<string, Lease>();
  for (const lease of leases) {
    const { holder, id } = lease;
    const answer = asks.get(holder)?.answer;
    if (byHolder.has(holder)) ledger.breach(`${holder} has asked once and holds twice`);
    if (answer === undefined || answer.kind === "refused") ledger.breach(`${holder} was refused, and holds`);
    else if ("leaseId" in answer && answer.leaseId !== id) ledger.breach(`${holder} was granted another lease`);
    byHolder.set(holder, lease);
  }
  return byHolder;
}

/** Each holder can still prove that its lease is its own. */
async function auditRenewal(client: ContractClient, ledger: Ledger): Promise<void> {
  const credentials = ledger.asks.flatMap(({ answer }) => (answer.kind === "granted" ? [answer] : []));
  if (credentials.length === 0) return;
  const { results } = await client.call(renew, {
    leases: credentials.map(({ leaseId, secret }) => ({ leaseId, secret })),
  });
  for (const [index, { result }] of results.entries()) {
    if (result.case !== "renewed") ledger.breach(`${credentials[index]?.leaseId} is not renewed`);
  }
}

/** An ask that is repeated, since no answer has come, finds what there is, and makes no second lease. */
async function auditRetries(client: ContractClient, ledger: Ledger, leases: ReadonlyMap<string, Lease>): Promise<void> {
  for (const ask of ledger.asks) {
    const { holder, requestId, answer } = ask;
    if (answer.kind !== "unanswered" || requestId === "") continue;
    const { result } = await client.call(tryAcquire, { claims: [{ limiter: LIMITER }], holder, requestId });
    const before = leases.get(holder);
    const lease = result.case === "granted" ? result.value.lease : undefined;
    if (before !== undefined && lease?.id !== before.id)
      ledger.breach(`${holder} asks again, and does not get its lease`);
    if (before === undefined && result.case === "granted" && lease !== undefined) {
      const fencingToken = lease.claims[0]?.fencingToken ?? 0n;
      ledger.granted(ask, { leaseId: lease.id, secret: result.value.secret, fencingToken });
    }
  }
}

async function giveAllBack(client: ContractClient, ledger: Ledger): Promise<void> {
  const secrets = new Map<string, string>();
  for (const ask of ledger.asks) {
    const { answer } = ask;
    if (answer.kind !== "granted") continue;
    ledger.givingBack(ask);
    secrets.set(answer.leaseId, answer.secret);
  }
  const { leases } = await client.call(listLeases, { limiter: LIMITER, pageSize: 1_000 });
  for (const { id: leaseId } of leases) {
    const secret = secrets.get(leaseId);
    if (secret !== undefined) await client.call(release, { leaseId, secret });
    // No answer has come of it, or it was given back without that being kept.
    else await client.call(revokeLease, { leaseId, force: true });
  }
}

/** All permits are free, and the tokens of their new holders are above all of before. */
async function auditTokens(client: ContractClient, ledger: Ledger): Promise<void> {
  for (let permit = 0; permit < ledger.permits; permit += 1) {
    const ask = ledger.ask({ holder: `auditor ${permit}`, requestId: "" });
    const { result } = await client.call(tryAcquire, { claims: [{ limiter: LIMITER }], holder: ask.holder });
    if (result.case !== "granted") {
      ledger.breach(`all was given back, and permit ${permit} is not granted`);
      continue;
    }
    const { lease, secret } = result.value;
    ledger.granted(ask, { leaseId: lease?.id ?? "", secret, fencingToken: lease?.claims[0]?.fencingToken ?? 0n });
  }
  await giveAllBack(client, ledger);
}
