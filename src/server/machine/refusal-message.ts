/** Refusals in words, for people: what was asked for, the limit that it met, and what to do. */

import type { Reason, Refusal, RefusalNumbers } from "./reasons.ts";

/** Writes the name of a field of the contract as the reader of the message knows it. */
export type FieldName = (name: string) => string;

/** Returns a refusal in one sentence. `field`: unset, fields are named as in the contract, `max_waiters`. */
export function refusalMessage(refusal: Refusal, field: FieldName = asInContract): string {
  return MESSAGES[refusal.reason]({ ...refusal, name: subjectOf(refusal), field });
}

const asInContract: FieldName = (name) => name;

/** A message says no more than this of a text that may be of any length. */
const MAX_TEXT = 300;

/** Returns the beginning of a text that may be of any length. */
export function clip(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT).toWellFormed()}…`;
}

/** What a refusal is about: a limiter and perhaps its key, or a place on a board. */
function subjectOf({ limiter, key, at }: Refusal): string {
  if (at === undefined) return `limiter ${quote(limiter)}${key === "" ? "" : ` (key ${quote(key)})`}`;
  const card = at.card === "" ? "" : `card ${quote(at.card)} of `;
  const stage = at.stage === "" ? "" : `stage ${quote(at.stage)} of `;
  return `${card}${card === "" ? stage : ""}board ${quote(at.board)}`;
}

interface NamedRefusal extends Refusal {
  readonly name: string;
  readonly field: FieldName;
}

const MESSAGES: Record<Reason, (refusal: NamedRefusal) => string> = {
  LIMITER_NOT_FOUND: ({ name }) => `there is no ${name}, or it is being deleted; ListLimiters says what there is`,
  LEASE_NOT_FOUND: () => "no lease has this id, or it ended long ago",
  WAITER_NOT_FOUND: () => "no waiter has this id; it may have been granted, or have left",
  CLAIM_EXCEEDS_LIMIT: ({ name, field, numbers }) =>
    `${name} never has as much as the claim ${excess(numbers, field) ?? "asks for"}; ask for less, or raise the limit`,
  REQUEST_ID_REUSED: () => "this request_id was used for another call or other claims; use a fresh one",
  DECLARED: ({ name }) => `${name} is declared in the server's file; take its declaration out instead`,
  LEASE_SECRET_MISMATCH: () => "the secret is not that of this lease; only its holder has it",
  LIMITER_EXISTS: ({ name }) =>
    `${name} exists with other content, or still drains after its deletion; UpdateLimiter changes one`,
  KEY_REQUIRED: ({ name }) => `${name} is keyed: the claim must name a key`,
  KEY_NOT_ALLOWED: ({ name }) => `${name} is not keyed: the claim must not name a key`,
  CONCURRENCY_EXHAUSTED: ({ name, field, numbers: { permits, permitsInUse, maxConcurrent } }) =>
    maxConcurrent === undefined
      ? `${name} has too few free permits now`
      : `${name} has too few free permits now: the claim asks for ${count(permits)}, and ${count(permitsInUse)} are in use; ` +
        `${field("max_concurrent")} is ${count(maxConcurrent)}`,
  RATE_EXHAUSTED: ({ name, retryAfter, numbers: { tokens } }) =>
    `${name} has too few tokens now${tokens === undefined ? "" : `: the claim asks for ${count(tokens)}`}` +
    (retryAfter === undefined ? "" : `, which it will have in ${span(retryAfter)}`),
  WAITERS_AHEAD: ({ name, waitersAhead }) =>
    `${name} has ${count(waitersAhead)} waiting, and no request overtakes them`,
  PAUSED: ({ name }) => `${name} is paused: nothing is granted until an operator resumes it`,
  LEARNING: ({ name }) =>
    `${name} grants nothing yet: some leases from before the server's restart may be unknown, and must run out first`,
  ENGINE_UNAVAILABLE: () =>
    "the part of the server that decides about the stage's limiter cannot be reached now; nothing was pulled: ask again",
  NOT_AUDITED: () =>
    "the server could not write this down in its audit file, and has not done it; free the file's disk, and ask again",
  QUEUE_FULL: ({ name, field, waitersAhead, limiter, at, numbers: { maxWaiters, maxPullers } }) =>
    limiter === "" && at === undefined
      ? `${count(waitersAhead)} requests wait on the server, as many as may wait in all its queues${bound(field("max_waiters"), maxWaiters)}`
      : `${name} has ${count(waitersAhead)} waiting, as many as may` +
        (at === undefined ? bound(field("max_waiters"), maxWaiters) : bound(field("max_pullers"), maxPullers)),
  CALLER_QUOTA: overQuota,
  KEYS_EXHAUSTED: ({ name, field, retryAfter, numbers: { maxKeys } }) =>
    `${name} has as many keys in use as it may${bound(field("max_keys"), maxKeys)}` +
    (retryAfter === undefined
      ? "; a key becomes free when its last lease has ended, its last waiter has left and its tokens are back"
      : `; the next becomes free in ${span(retryAfter)}`),
  WAIT_TOO_LONG: ({ name, field, waitersAhead, numbers: { estimatedWait, maxWait } }) =>
    estimatedWait === undefined || maxWait === undefined
      ? `${name} would let the request wait longer than it will`
      : `${name} would let the request wait for about ${span(estimatedWait)} (${count(waitersAhead)} ahead), and it waits for ` +
        `${span(maxWait)} at most (${field("max_wait")}, the deadline, or the limiter's bound)`,
  WAIT_TIMEOUT: ({ name, field, numbers: { waited } }) =>
    `${name} had no room within ${waited === undefined ? "the time" : `the ${span(waited)}`} that the request waited ` +
    `(${field("max_wait")}, the deadline, or the limiter's bound)`,
  ETAG_MISMATCH: ({ name }) => `${name} has changed since it was read; read it again`,
  WAITER_CANCELLED: () => "an operator took the request out of the queue",
  WAITER_DISPLACED: () => "another stream came with the same request_id and took this one's place",
  LEASE_REVOKED: () => "an operator revoked the lease",
  LEASE_EXPIRED: () => "the lease outlived the last sign of its holder by its ttl",
  LEASE_DISPLACED: () => "another stream resumed the lease; it lives on there",
  LIMITER_DELETED: ({ name, limiter }) => `${limiter === "" ? "the limiter" : name} was deleted by force`,
  LEASE_ENDED: () => "the lease that was asked for has ended; ask for a new one, under a fresh request_id",
  BOARD_NOT_FOUND: ({ name }) => `there is no ${name}; ListBoards says what there is`,
  CARD_NOT_FOUND: ({ name }) => `there is no ${name}, or it was completed so long ago that it is not kept`,
  SESSION_NOT_FOUND: () => "nothing is left of this session, or the secret is not its own; open a new one",
  STAGE_NOT_FOUND: ({ name }) => `there is no ${name}; GetBoard says which stages it has`,
  STAGE_NOT_EMPTY: ({ name, numbers: { cards } }) =>
    `${cards === undefined ? "cards" : plural(cards, "card")} in ${name}: it can be neither removed nor given another kind or ` +
    "place while it has cards",
  BOARD_NOT_EMPTY: ({ name, numbers: { cards } }) =>
    `${cards === undefined ? "cards" : plural(cards, "card")} on ${name} not completed; complete or delete them, or use force`,
  CARD_STATE: ({ name }) => `${name} is in a state in which this cannot be done to it; GetCard says in which`,
  FIRST_STAGE: ({ name }) => `${name} is its first: no worker pulls into it, AddCard puts cards there`,
  BOARD_EXISTS: ({ name }) => `${name} exists with other content; UpdateBoard changes one`,
  CARD_EXISTS: ({ name }) => `${name} exists with other content; UpdateCard changes one`,
  STAGE_FULL: ({ name, at, field, numbers: { cards, wipLimit } }) =>
    `${at?.card !== undefined && at.card !== "" && at.stage !== "" ? `stage ${quote(at.stage)} of board ${quote(at.board)}` : name} ` +
    `has as many cards as it may${cards === undefined ? "" : `: ${count(cards)}`}${bound(field("wip_limit"), wipLimit)}`,
  NO_CARD: ({ name }) => `there is no card to pull into ${name} now`,
  BOARD_FULL: ({ at, field, numbers: { maxCards } }) =>
    `board ${quote(at?.board ?? "")} has as many cards as it may${bound(field("max_cards"), maxCards)}`,
  TOO_MANY_LIMITERS: ({ name, field, numbers: { limiters, maxLimiters } }) =>
    `${name} would be one too many: ${limiters === undefined ? "as many as may be" : count(limiters)} exist that the server's file ` +
    `does not declare${bound(field("max_limiters"), maxLimiters)}; delete some, raise the bound, or declare it in the file`,
  TOO_MANY_BOARDS: ({ name, field, numbers: { boards, maxBoards } }) =>
    `${name} would be one too many: ${boards === undefined ? "as many as may be" : count(boards)} exist that the server's file ` +
    `does not declare${bound(field("max_boards"), maxBoards)}; delete some, raise the bound, or declare it in the file`,
  STALE_FENCING_TOKEN: ({ name }) => `the work under this fencing token on ${name} has ended; nothing was changed`,
  CARD_DELETED: ({ name }) => `${name} was deleted`,
  CARD_BLOCKED: ({ name }) => `${name} was blocked`,
  REQUEST_WITHDRAWN: () =>
    "the request was withdrawn under its request_id and has taken nothing; ask anew, under a fresh request_id",
  SESSION_DISPLACED: () => "another stream resumed the session; it lives on there",
};

/** `asks for 4,000 tokens; burst_size is 75`. */
function excess(numbers: RefusalNumbers, field: FieldName): string | undefined {
  const { permits, maxConcurrent, tokens, burstSize } = numbers;
  const parts: string[] = [];
  if (tokens !== undefined)
    parts.push(`asks for ${plural(tokens, "token")}; ${field("burst_size")} is ${count(burstSize)}`);
  if (permits !== undefined) {
    parts.push(`asks for ${plural(permits, "permit")}; ${field("max_concurrent")} is ${count(maxConcurrent)}`);
  }
  return parts.length === 0 ? undefined : parts.join(", and it ");
}

function bound(field: string, limit: number | undefined): string {
  return limit === undefined ? ` (${field})` : ` (${field} is ${count(limit)})`;
}

function plural(amount: number, noun: string): string {
  return `${count(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

/** `4,000`. */
function count(amount = 0): string {
  return String(amount).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `500 ms`, `68.2 s`, `2 h`: three figures are enough. */
function span(micros: number): string {
  for (const [unit, length] of UNITS)
    if (micros >= length) return `${Number((micros / length).toPrecision(3))} ${unit}`;
  return `${micros} µs`;
}

const UNITS = [
  ["d", 86_400e6],
  ["h", 3_600e6],
  ["min", 60e6],
  ["s", 1e6],
  ["ms", 1e3],
] as const;

function quote(name: string): string {
  return JSON.stringify(clip(name));
}

/** Which of its bounds a caller has reached. */
function overQuota({ field, retryAfter, numbers }: NamedRefusal): string {
  const { waiters = 0, leases, maxWaiters, maxLeases, maxConnections, maxRequestsPerSecond } = numbers;
  if (maxRequestsPerSecond !== undefined) {
    const when = retryAfter === undefined ? "" : `; it may again in ${span(retryAfter)}`;
    return `this caller asks more often than it may${bound(field("max_requests_per_second"), maxRequestsPerSecond)}${when}`;
  }
  if (maxConnections !== undefined) {
    return `this caller has as many connections as one may have${bound(field("max_connections"), maxConnections)}; close one`;
  }
  if (leases === undefined) {
    return `this caller has ${plural(waiters, "waiter")}, as many as one may have${bound(field("max_waiters"), maxWaiters)}`;
  }
  return (
    `this caller has ${plural(leases, "lease")} and ${plural(waiters, "waiter")}, as many as one may have leases` +
    `${bound(field("max_leases"), maxLeases)}; release some`
  );
}
