/**
 * Sessions: what one client holds and waits for over one stream, with one sign of life for all of it.
 *
 * What is held with the same ttl shares one deadline, a term. A sign of life writes one number, whatever is held; a deadline
 * that falls due looks at that number, and is set anew if there was a sign meanwhile.
 */

import { type Called, callerOf } from "./callers.ts";
import { type Refusal, refusal } from "./reasons.ts";
import type { StreamId } from "./stream.ts";
import { hash } from "./structures/hash.ts";
import type { Due } from "./structures/indexed-heap.ts";
import { ObjectTable } from "./structures/object-table.ts";

interface Named {
  readonly id: string;
}

/** `Q`: what waits. It exists while its stream is open, or something of it is held or waits; there is no record of it. */
export interface Session<Q extends Named = Named> {
  readonly kind: "session";
  readonly id: string;
  /** Whose it is, with all that is held and waits in it. */
  readonly caller: string;
  /** Undefined while it is away: its stream has ended. */
  stream: StreamId | undefined;
  /** Whether the server notices by itself that the stream's connection is dead. */
  monitored: boolean;
  /** Whether its stream is the one that has opened it: see `Attached.first`. */
  first: boolean;
  /** What is asked for in it has the promise of `Streaming.keepOnCancel`. */
  keepsOnCancel: boolean;
  /** µs: the last sign of life. */
  aliveAt: number;
  /** By `keyOf`. */
  readonly terms: Map<number, Term>;
  /** What waits, present or away, by its id. */
  readonly waiting: ObjectTable<Q, string>;
  /** The ids of leases that were asked back: each has a deadline of its own. */
  readonly revoked: Set<string>;
}

/** What is held in a session with one ttl, under one promise. Its deadline is never later than the end of a member. */
export interface Term extends Due {
  readonly kind: "term";
  readonly session: Session;
  /** µs; 0: it ends with the stream. */
  readonly ttl: number;
  readonly keepsOnCancel: boolean;
  /** By id, when each was granted, taken into the session, or renewed by itself, in that order. */
  readonly members: Map<string, number>;
}

/** It is held in a session, whose stream may be open or have ended. */
export interface InSession {
  readonly kind: "in-session";
  readonly term: Term;
  /** As of `Attached`: the grant went out in this session. */
  readonly first: boolean;
}

/** Says which session a command belongs to, and over which stream of it the command came. */
export interface SessionRef {
  readonly id: string;
  readonly stream: StreamId;
}

/** What is asked of a session's stream when it is opened, or taken up again. */
export interface SessionStream {
  readonly stream: StreamId;
  readonly monitored: boolean;
  readonly keepOnCancel: boolean;
}

/** What of something that is held puts it under a term. */
type Joining = Pick<Term, "ttl" | "keepsOnCancel"> & { readonly id: string };

/** What waits knows whose stream it waits on. */
interface Waiting<Q extends Named> extends Named {
  session: Session<Q> | undefined;
}

/** What of a machine's state keeps sessions. */
export interface SessionHouse<Q extends Named = Named> {
  readonly now: number;
  readonly sessions: Map<string, Session<Q>>;
  readonly deadlines: { set(term: Term, at: number): void; clear(term: Term): void };
}

/** Terms without a member that are kept while the stream is open: the next grant of this ttl is most often near. */
const SPARE_TERMS = 8;

/** A session without a stream yet. */
export function createSession<Q extends Named>(id: string, caller: string, aliveAt: number): Session<Q> {
  return {
    kind: "session",
    id,
    caller,
    stream: undefined,
    monitored: false,
    first: false,
    keepsOnCancel: false,
    aliveAt,
    terms: new Map(),
    waiting: new ObjectTable({ keyOf: ({ id: own }) => own, hash }),
    revoked: new Set(),
  };
}

/** Finds the session that a command comes from, to which that is a sign of life; a refusal where it is not the session's. */
export function enter<Q extends Named>(
  state: SessionHouse<Q>,
  command: Called & { readonly session: SessionRef | undefined },
): Session<Q> | Refusal | undefined {
  const ref = command.session;
  if (ref === undefined) return undefined;
  const session = state.sessions.get(ref.id);
  if (session?.caller !== callerOf(command)) return refusal("SESSION_NOT_FOUND");
  if (session.stream !== ref.stream) return refusal("SESSION_DISPLACED");
  showLife(state, session);
  return session;
}

/** A session has another stream; if it had one, that has lost it. Each term runs, or stands still, accordingly. */
export function attachStream(state: SessionHouse, session: Session, by: SessionStream): void {
  session.stream = by.stream;
  session.monitored = by.monitored;
  session.keepsOnCancel ||= by.keepOnCancel;
  showLife(state, session);
  for (const term of session.terms.values()) schedule(state, term);
}

/** The session's stream has ended: from now on all terms run. */
export function detachStream(state: SessionHouse, session: Session): void {
  session.stream = undefined;
  showLife(state, session);
  for (const term of [...session.terms.values()]) {
    if (term.members.size === 0) forgetTerm(state, term);
    else schedule(state, term);
  }
  forgetIfGone(state, session);
}

/** Puts what is held under the term of its ttl and promise. */
export function join(state: SessionHouse, session: Session, held: Joining): Term {
  const key = keyOf(held);
  let term = session.terms.get(key);
  if (term === undefined) {
    const { ttl, keepsOnCancel } = held;
    term = { kind: "term", session, ttl, keepsOnCancel, members: new Map(), dueAt: 0, heapIndex: -1 };
    session.terms.set(key, term);
  }
  term.members.set(held.id, state.now);
  schedule(state, term);
  return term;
}

/** The client has shown life for one thing that is held: it has its whole ttl from now, whatever becomes of the others. */
export function rejoin({ now }: SessionHouse, { members }: Term, id: string): void {
  members.delete(id);
  members.set(id, now);
}

/** Takes out what has ended, or is not the session's any more. */
export function part(state: SessionHouse, term: Term, id: string): void {
  const { session, members } = term;
  members.delete(id);
  session.revoked.delete(id);
  if (members.size > 0) return;
  if (session.stream === undefined || session.terms.size > SPARE_TERMS) forgetTerm(state, term);
  else state.deadlines.clear(term);
  forgetIfGone(state, session);
}

/** The deadline of a term has passed. Returns those of its members that have run out; for the others it is set anew. */
export function takeExpired(state: SessionHouse, term: Term): string[] {
  const expired: string[] = [];
  for (const [id, joinedAt] of term.members) {
    const end = endOf(term, joinedAt);
    if (end > state.now) {
      state.deadlines.set(term, end);
      break;
    }
    expired.push(id);
  }
  return expired;
}

/** When a member ends unless there is a sign of life; undefined: it lasts as long as the stream. */
export function memberEnd(term: Term, id: string): number | undefined {
  return runs(term) ? endOf(term, term.members.get(id) ?? 0) : undefined;
}

/** What waits does so in another session from now on, or in none. */
export function changeSession<Q extends Waiting<Q>>(
  state: Pick<SessionHouse, "sessions">,
  queuer: Q,
  session: Session<Q> | undefined,
): void {
  if (queuer.session === session) return;
  stopWaiting(state, queuer);
  queuer.session = session;
  session?.waiting.add(queuer);
}

/** What waited has left its queue. */
export function stopWaiting<Q extends Waiting<Q>>(state: Pick<SessionHouse, "sessions">, queuer: Q): void {
  const { session } = queuer;
  if (session === undefined) return;
  session.waiting.delete(queuer);
  forgetIfGone(state, session);
}

/** Whether it is away, so that what is held in it is orphaned. */
export function isAway({ stream }: Session): boolean {
  return stream === undefined;
}

/** The least ttl of all that is held and bound to a time; undefined: nothing is. */
export function leastTtl({ terms }: Session): number | undefined {
  let least: number | undefined;
  for (const { ttl, members } of terms.values()) {
    if (ttl > 0 && members.size > 0 && (least === undefined || ttl < least)) least = ttl;
  }
  return least;
}

/** Forgets a session of which nothing is left. */
function forgetIfGone(state: Pick<SessionHouse, "sessions">, session: Session): void {
  const { id, stream, terms, waiting } = session;
  if (stream === undefined && terms.size === 0 && waiting.size === 0) state.sessions.delete(id);
}

/** After a restart the last sign of life is said to come in a while, so that not all sessions run out in one step. */
function showLife({ now }: SessionHouse, session: Session): void {
  if (now > session.aliveAt) session.aliveAt = now;
}

/** Whether the client must show itself: it is away, or its open stream does not show that it lives. */
function runs({ session, ttl, keepsOnCancel }: Term): boolean {
  return ttl > 0 && (session.stream === undefined || !session.monitored || keepsOnCancel);
}

function endOf({ session, ttl }: Term, joinedAt: number): number {
  return Math.max(session.aliveAt, joinedAt) + ttl;
}

/** A deadline that is set already stays: it is early at most, and then set anew. */
function schedule(state: SessionHouse, term: Term): void {
  if (term.members.size === 0 || !runs(term)) {
    state.deadlines.clear(term);
  } else if (term.heapIndex === -1) {
    const [joinedAt = 0] = term.members.values();
    state.deadlines.set(term, endOf(term, joinedAt));
  }
}

function forgetTerm(state: SessionHouse, term: Term): void {
  state.deadlines.clear(term);
  term.session.terms.delete(keyOf(term));
}

function keyOf({ ttl, keepsOnCancel }: Pick<Term, "ttl" | "keepsOnCancel">): number {
  return 2 * ttl + Number(keepsOnCancel);
}
