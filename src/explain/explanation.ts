/** Why a limiter stands as it does, and what an operator may do: the one answer of the command line and of pages. */

import type { WaiterInfo } from "../client/api/limiter.ts";
import { formatRoughly } from "../text/duration.ts";
import { formatCount, formatNumber } from "../text/number.ts";
import type { Act } from "./act.ts";
import { type OverdueLease, overdueLeases } from "./overdue.ts";
import { heldFor, permitsOf, type Sight, type Sights } from "./sight.ts";
import { type Standing, standingOf } from "./standing.ts";
import { nameOf, obstacleWords, outlookWords, overdueWords, STATE_WORDS } from "./words.ts";

export interface Explanation {
  readonly limiter: string;
  /** Empty: the limiter has no keys, or all of them are meant. */
  readonly key: string;
  readonly standing: Standing;
  /** The answer in one sentence or two. */
  readonly sentence: string;
  /** What else there is to know, a sentence each. */
  readonly details: readonly string[];
  /** Leases that are held unusually long, the longest held first. */
  readonly overdue: readonly OverdueLease[];
  /** What may be done, the likeliest first. */
  readonly acts: readonly Act[];
  /** The same of the limiter that is in the way, where it is another one and was looked at. */
  readonly behind: Explanation | undefined;
}

/** Overdue leases that are named: where there are many, the first say enough. */
const MOST_NAMED = 3;

/** Returns why a limiter, or one of its keys, stands as it does. */
export function explain({ of: sight, others }: Sights): Explanation {
  const { limiter, key, waiters } = sight;
  const standing = standingOf(limiter, { key });
  const { cause } = standing;
  const overdue = overdueLeases(sight);
  const first = waiters.find(({ away }) => !away);
  const [next, ...rest] =
    cause.kind === "limiter"
      ? fromNext(others, (each) => each.limiter.name === cause.limiter && each.key === cause.key)
      : [];
  return {
    limiter: limiter.name,
    key,
    standing,
    sentence: `${STATE_WORDS[standing.state]}: ${sentenceOf(sight, standing)}`,
    details: detailsOf(sight, { standing, overdue, first }),
    overdue,
    acts: actsOf(sight, { standing, overdue, first }),
    behind: next && explain({ of: next, others: rest }),
  };
}

/** Those from the first that is meant on: each step looks further, so that no circle is gone round twice. */
function fromNext(others: readonly Sight[], isMeant: (sight: Sight) => boolean): readonly Sight[] {
  const index = others.findIndex(isMeant);
  return index === -1 ? [] : others.slice(index);
}

interface Findings {
  readonly standing: Standing;
  readonly overdue: readonly OverdueLease[];
  readonly first: WaiterInfo | undefined;
}

function sentenceOf({ limiter, key }: Sight, standing: Standing): string {
  const { status } = limiter;
  const name = nameOf(limiter.name, key);
  const { state, cause } = standing;
  switch (state) {
    case "stuck":
      return `${waitingWords(limiter.status.waiters, standing)}, and ${lastGrantWords(standing)}. ${causeSentence(name, standing, limiter.status)}`;
    case "shedding":
      return `${name} refuses ${formatNumber(status.refusalRate)} of ${formatNumber(status.arrivalRate)} requests a second.${behindWords(name, standing, status)}`;
    case "full":
      return status.waiters === 0
        ? `all ${formatCount(status.permitsInUse, "permit")} of ${name} are in use, and no request waits.`
        : `${waitingWords(status.waiters, standing)}. ${causeSentence(name, standing, status)}`;
    case "paused":
      return cause.kind === "learning"
        ? `the server grants nothing yet: it has been restarted and may not know every lease, so it waits until those must have ended. ${formatCount(status.waiters, "waiter")} for ${name}.`
        : `an operator has paused ${name}: it grants nothing, and keeps its waiters. ${formatCount(status.waiters, "waiter")}, ${formatCount(status.leases, "lease")} held.`;
    case "draining":
      return `${name} was deleted: it grants nothing, and goes with the last of its leases (${formatNumber(status.leases)}).`;
    case "calm":
      return status.waiters === 0
        ? `no request waits for ${name}${useWords(limiter.maxConcurrent === undefined ? undefined : status)}.`
        : `${formatCount(status.waiters, "waiter")} for ${name}, about to be granted.`;
  }
}

type Status = Sight["limiter"]["status"];

function useWords(status: Status | undefined): string {
  if (status === undefined) return "";
  return `, and ${formatNumber(status.permitsInUse)} of ${formatNumber(status.permitsLimit)} permits are in use`;
}

function waitingWords(waiters: number, { oldestWaitMs }: Standing): string {
  const wait = oldestWaitMs === undefined ? undefined : formatRoughly(oldestWaitMs);
  if (waiters === 1) return wait === undefined ? "1 request waits" : `1 request has waited for ${wait}`;
  return `${formatNumber(waiters)} requests wait${wait === undefined ? "" : `, the first for ${wait}`}`;
}

function lastGrantWords({ sinceLastGrantMs }: Standing): string {
  return sinceLastGrantMs === undefined
    ? "nothing has been granted meanwhile"
    : `nothing has been granted for ${formatRoughly(sinceLastGrantMs)}`;
}

function behindWords(name: string, standing: Standing, status: Status): string {
  return status.waiters === 0
    ? ""
    : ` ${waitingWords(status.waiters, standing)}. ${causeSentence(name, standing, status)}`;
}

function causeSentence(name: string, { cause }: Standing, status: Status): string {
  const inUse = `${formatNumber(status.permitsInUse)} of ${formatNumber(status.permitsLimit)} permits are in use`;
  switch (cause.kind) {
    case "rate":
      return `${name} is held back by its rate limit, which admits ${formatNumber(status.admissionRate)} a second.`;
    case "concurrency":
      return `${name} is held back by its concurrency limit: ${inUse}, and ${formatNumber(status.completionRate)} leases a second end.`;
    case "no-release":
      return `${name} is held back by its holders: ${inUse}, and none is released.`;
    case "limiter":
      return `The first also claims ${nameOf(cause.limiter, cause.key)}, where ${obstacleWords(cause.reason)}; it is granted both or neither.`;
    default:
      return "The first is about to be granted.";
  }
}

function detailsOf(sight: Sight, { standing, overdue, first }: Findings): string[] {
  const { limiter, readAt, waiters } = sight;
  const { status } = limiter;
  const details = overdue.slice(0, MOST_NAMED).map((each) => {
    const outlook = outlookWords(each.lease, readAt);
    return outlook === undefined ? overdueWords(each) : `${overdueWords(each)} ${outlook}`;
  });
  if (overdue.length > MOST_NAMED) details.push(moreWords(overdue.length - MOST_NAMED));
  const longest = standing.cause.kind === "no-release" && overdue.length === 0 ? longestHeld(sight) : undefined;
  if (longest !== undefined) details.push(longest);
  const large = largeClaim(sight, standing, first);
  if (large !== undefined) details.push(large);
  const away = waiters.filter((waiter) => waiter.away).length;
  if (away > 0)
    details.push(
      `${formatCount(away, "waiter")} lost the connection, and ${away === 1 ? "keeps its place" : "keep their places"} without blocking others.`,
    );
  if (status.orphanedLeases > 0)
    details.push(
      `${formatCount(status.orphanedLeases, "lease")} lost the connection to the holder, and ${status.orphanedLeases === 1 ? "ends" : "end"} by the ttl unless resumed.`,
    );
  const refused = Object.entries(status.refusals).sort(([, a], [, b]) => b - a);
  if (standing.state === "shedding" && refused.length > 0) {
    const counts = refused.map(([reason, count]) => `${reason} ${formatNumber(count)}`);
    details.push(`Refused since the server started: ${counts.join(", ")}.`);
  }
  return details;
}

/** Of a queue that stands while no lease is held unusually long yet. */
function longestHeld(sight: Sight): string | undefined {
  const lease = sight.leases.find((each) => permitsOf(sight, each) > 0);
  if (lease === undefined) return undefined;
  return `The longest held is ${lease.holder || "a holder without a name"}'s, for ${formatRoughly(heldFor(lease, sight.readAt))} (lease ${lease.id}).`;
}

function moreWords(count: number): string {
  return `${formatCount(count, "other lease")} ${count === 1 ? "is" : "are"} held unusually long, too.`;
}

/** The first asks for more than is free, though something is: what is smaller waits behind it. */
function largeClaim({ limiter, key }: Sight, { cause }: Standing, first: WaiterInfo | undefined): string | undefined {
  if (cause.kind !== "concurrency" && cause.kind !== "no-release") return undefined;
  const claim = first?.claims.find((each) => each.limiter === limiter.name && (key === "" || each.key === key));
  const { permitsInUse, permitsLimit } = limiter.status;
  const free = permitsLimit - permitsInUse;
  if (claim === undefined || free <= 0 || (limiter.keyed && key === "")) return undefined;
  return `The first asks for ${formatNumber(claim.permits ?? 1)} permits at once and ${formatNumber(free)} ${free === 1 ? "is" : "are"} free; no smaller request overtakes it.`;
}

function actsOf(sight: Sight, { standing, overdue, first }: Findings): Act[] {
  const { limiter } = sight;
  const { cause, state } = standing;
  const { name, maxConcurrent = 0, maxWaiters = 0 } = limiter;
  const acts = overdue.slice(0, MOST_NAMED).map(({ lease }) => actOn(lease, sight.readAt));
  switch (cause.kind) {
    case "concurrency":
    case "no-release":
      acts.push({ kind: "raise-concurrency", limiter: name, maxConcurrent });
      break;
    case "rate":
      acts.push({ kind: "raise-rate", limiter: name });
      break;
    case "limiter":
      acts.push({ kind: "look-at", limiter: cause.limiter, key: cause.key });
      if (state === "stuck" && first !== undefined) {
        acts.push({ kind: "cancel-waiter", waiterId: first.id, holder: first.holder });
      }
      break;
    case "paused":
      acts.push({ kind: "resume", limiter: name });
      break;
    case "learning":
      acts.push({ kind: "wait", ms: undefined });
      break;
    case "draining":
      acts.push({ kind: "wait", ms: undefined }, { kind: "force-delete", limiter: name });
      break;
  }
  if (state === "shedding" && (limiter.status.refusals.QUEUE_FULL ?? 0) > 0) {
    acts.push({ kind: "lengthen-queue", limiter: name, maxWaiters });
  }
  return acts;
}

/** A lease that is about to end needs no operator. */
function actOn({ id, holder, state, revoking, expireTime }: Sight["leases"][number], readAt: number): Act {
  if (expireTime !== undefined && (revoking || state === "orphaned")) {
    return { kind: "wait", ms: Math.max(0, expireTime.getTime() - readAt) };
  }
  return { kind: "revoke", leaseId: id, holder };
}
