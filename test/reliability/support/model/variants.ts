/**
 * The worlds in which the lease protocol is looked at, and the bugs of which each must be found. `lease.pml` is the model of single
 * leases, `session.pml` of a session's.
 */

/** What can be broken, as `state.pml` and `session.pml` name it. */
export type Fault =
  | "TOO_MANY_AT_WORK"
  | "TOO_MANY_LEASES"
  | "SECOND_STREAM"
  | "TOKEN_NOT_HIGHER"
  | "PERMITS_LOST"
  | "LEASE_LOST"
  | "LEASE_UNKNOWN"
  | "OVERTAKEN";

/** Set in the model, each with its value; true: it is defined. */
export type Switches = Readonly<Record<string, number | string | true>>;

export interface World {
  readonly name: string;
  readonly switches: Switches;
}

export interface Bug {
  readonly name: string;
  readonly switches: Switches;
  readonly breaks: Fault;
}

/** The least in which two can be at work where one may: quick to look at, state by state, and its trails are short. */
export const SMALL: Switches = { PERMITS: 1, CLIENTS: 2, PLAIN: true };

/** 2 permits, 3 clients, a ttl of 4 ticks, of which a client uses 2 and is late by less than 2. */
export const WHOLE: World = { name: "2 permits, 3 clients", switches: {} };

export const SMALL_WORLDS: readonly World[] = [
  { name: "1 permit, 2 clients", switches: SMALL },
  { name: "1 permit, 2 clients that promise to release, behind a proxy", switches: { ...SMALL, PROMISES: true } },
  { name: "1 permit, 2 clients, an operator who asks leases back", switches: { ...SMALL, REVOKE: true } },
  { name: "1 permit, 2 clients, fencing tokens", switches: { PERMITS: 1, CLIENTS: 2, TOKENS: true, MOST_TOKENS: 6 } },
];

export const NIGHTLY_WORLDS: readonly World[] = [
  { name: "2 permits, 4 clients", switches: { CLIENTS: 4 } },
  { name: "2 permits, 3 clients, a ttl of 6 ticks", switches: { TTL: 6 } },
  { name: "1 permit, 3 clients, fencing tokens", switches: { PERMITS: 1, TOKENS: true, MOST_TOKENS: 6 } },
];

export const BUGS: readonly Bug[] = [
  {
    name: "a restart forgets leases",
    switches: { FORGETS: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a grant is answered before it is kept",
    switches: { ANSWERS_FIRST: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "after a loss of power nothing is learned",
    switches: { NO_LEARNING: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a lost connection frees the lease",
    switches: { FREES_ON_LOSS: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "validity counts from when the answer came",
    switches: { FROM_RECEIPT: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "validity is the whole ttl",
    switches: { VALIDITY: "TTL" },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a holder is frozen for longer than is allowed for",
    switches: { LATE: "TTL-VALIDITY" },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "an older server goes on to renew",
    switches: { OLD_SERVER: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a second release frees once more",
    switches: { DOUBLE_RELEASE: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a second release is charged to no lease",
    switches: { DOUBLE_RELEASE: true },
    breaks: "TOO_MANY_LEASES",
  },
  {
    name: "a resume leaves the older stream attached",
    switches: { TWO_STREAMS: true },
    breaks: "SECOND_STREAM",
  },
  {
    name: "the cancel of an older stream frees the lease",
    switches: { TWO_STREAMS: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    // Of an attempt that was given up, and comes by another connection than the next, which it follows.
    name: "the cancel of a stream that took the lease up frees it",
    switches: { ANY_STREAM_FREES: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a proxy's reset frees the lease of a client that has promised to release",
    switches: { PROMISES: true, RESET_FREES: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "fencing tokens begin anew after a restart",
    switches: { TOKENS: true, TOKENS_ANEW: true },
    breaks: "TOKEN_NOT_HIGHER",
  },
  {
    name: "a lease that was restored has no deadline",
    switches: { NO_DEADLINE: true },
    breaks: "PERMITS_LOST",
  },
  {
    name: "a lease that is asked back is relied on to its very end",
    switches: { REVOKE: true, TO_ITS_END: true },
    breaks: "TOO_MANY_AT_WORK",
  },
];

export const SESSION: World = { name: "a session of two leases and a waiter, and a rival", switches: {} };

export const SESSION_BUGS: readonly Bug[] = [
  {
    name: "a sign of life renews one lease of a session",
    switches: { RENEWS_ONE: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a resume of a session does not list all of its leases",
    switches: { LISTS_ONE: true },
    breaks: "LEASE_LOST",
  },
  {
    name: "leases of a session that is away have no deadline",
    switches: { NO_DEADLINE: true },
    breaks: "PERMITS_LOST",
  },
  {
    name: "the end of a stream before frees a session's leases",
    switches: { ANY_STREAM_FREES: true },
    breaks: "TOO_MANY_AT_WORK",
  },
  {
    name: "a command that comes late over a stream before is served",
    switches: { OLD_STREAM_SERVED: true },
    breaks: "LEASE_UNKNOWN",
  },
  {
    name: "a waiter of a session is overtaken",
    switches: { PLACE_LOST: true },
    breaks: "OVERTAKEN",
  },
  {
    name: "a restart frees a session's leases",
    switches: { FREES_ON_RESTART: true },
    breaks: "TOO_MANY_AT_WORK",
  },
];
