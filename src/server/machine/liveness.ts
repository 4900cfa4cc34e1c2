/**
 * How holders and waiters show that they live, and what the end of their stream means: one rule for leases and
 * work on cards, for waiters and pullers.
 */

import { type InSession, isAway, join, memberEnd, part, rejoin, type Session, type SessionHouse } from "./session.ts";
import type { StreamEnd, StreamId } from "./stream.ts";
import type { Due } from "./structures/indexed-heap.ts";

export type { StreamEnd, StreamId } from "./stream.ts";

/** A stream is open. */
export interface Attached {
  readonly kind: "attached";
  readonly stream: StreamId;
  /** Whether the server notices by itself that the stream's connection is dead. Over HTTP/1.1 it does not. */
  readonly monitored: boolean;
  /**
   * Whether the grant went out over this stream. One that took the lease up later may be an attempt that its caller gave up
   * and that was overtaken by the next: its cancel may come while the holder relies on the lease, and frees nothing at once.
   */
  readonly first: boolean;
}

/** How the holder shows that it lives. */
export type Attachment =
  | Attached
  /** The session that it is held in has its stream, and shows life for all that it holds. */
  | InSession
  /** The stream's connection is lost; the ttl runs. */
  | { readonly kind: "orphaned" }
  /** It never had a stream. */
  | { readonly kind: "detached" };

/** Returns what an open stream is to the lease that is granted over it. */
export function grantedOver(stream: StreamId, monitored: boolean): Attached {
  return { kind: "attached", stream, monitored, first: true };
}

/** Returns what an open stream is to a lease that lives already. */
export function takenUpOver(stream: StreamId, monitored: boolean): Attached {
  return { kind: "attached", stream, monitored, first: false };
}

export const ORPHANED: Attachment = { kind: "orphaned" };
export const DETACHED: Attachment = { kind: "detached" };

/** What is held, as far as its holder's life goes: a lease, or work on a card. */
export interface Held extends Due {
  readonly id: string;
  /** µs; undefined: for ever. 0: it ends with its stream, whichever way that ends. */
  readonly ttl: number | undefined;
  /**
   * The request has promised to end it by a word and to renew it, since a proxy may stand between: then a cancelled stream
   * is a lost one, and an open stream shows no life.
   */
  keepsOnCancel: boolean;
  /** How many calls were answered with it, or are to be as soon as it is kept. */
  promises: number;
  attachment: Attachment;
}

/** What waits for that, as far as its client's life goes: a waiter, or a puller. */
export interface Queuer extends Due {
  readonly id: string;
  readonly ttl: number | undefined;
  /** Under which its client can come back; empty: it cannot. */
  readonly requestId: string;
  /** Undefined while it is away: its connection was lost, its place is kept until `dueAt`. */
  stream: StreamId | undefined;
  /** Whether the server notices by itself that the stream's connection is dead. */
  monitored: boolean;
  /** The request has promised to withdraw it or to come back, so a cancelled stream is a lost one. */
  keepsOnCancel: boolean;
  /** When it gives up; Infinity: when it is cancelled. */
  deadline: number;
}

/** Another stream took the place, or what was held; this one ends. */
export interface Displaced {
  readonly kind: "displaced";
  readonly reason: "WAITER_DISPLACED" | "LEASE_DISPLACED" | "SESSION_DISPLACED";
}

/** What of a machine's state tells time and streams. */
export interface Clockwork<T> extends SessionHouse {
  readonly now: number;
  readonly deadlines: SessionHouse["deadlines"] & { set(item: T, at: number): void; clear(item: T): void };
  readonly events: { push(event: { to: StreamId; about: string; news: Displaced }): unknown };
}

/** What a request says of its stream. */
export interface Streaming {
  readonly stream: StreamId;
  /** Whether the server notices by itself that the stream's connection is dead. */
  readonly monitored: boolean;
  /**
   * Its client ends by a word what it asks for, and renews it: a cancelled stream is a lost one, an open one no sign of life.
   * What has this promise already keeps it.
   */
  readonly keepOnCancel: boolean;
}

/** Whether this stream is the one over which it is held, and it alone. */
export function isHeldOver({ attachment }: Held, stream: StreamId): boolean {
  return attachment.kind === "attached" && attachment.stream === stream;
}

/** The open stream that hears of it; undefined: there is none. */
export function streamOf({ attachment }: Pick<Held, "attachment">): StreamId | undefined {
  if (attachment.kind === "attached") return attachment.stream;
  return attachment.kind === "in-session" ? attachment.term.session.stream : undefined;
}

/** The id of the session that it is held in; undefined: none. */
export function sessionIdOf({ attachment }: Pick<Held, "attachment">): string | undefined {
  return attachment.kind === "in-session" ? attachment.term.session.id : undefined;
}

/** When it ends unless its holder shows itself; undefined while nothing runs out. */
export function expiresAt({ id, attachment, heapIndex, dueAt }: Held): number | undefined {
  if (heapIndex !== -1) return dueAt;
  return attachment.kind === "in-session" ? memberEnd(attachment.term, id) : undefined;
}

/** How its holder shows that it lives, to those who look. */
export function attachmentKind({ attachment }: Pick<Held, "attachment">): "attached" | "orphaned" | "detached" {
  if (attachment.kind !== "in-session") return attachment.kind;
  return isAway(attachment.term.session) ? "orphaned" : "attached";
}

/** Whether a lease, or work, lives on for its ttl when its stream has ended. */
export function outlivesStream({ ttl, keepsOnCancel, attachment }: Held, how: StreamEnd): boolean {
  const isLastWord = !keepsOnCancel && cameOver(attachment);
  return ttl !== 0 && (how === "lost" || !isLastWord);
}

/** Whether its grant went out over the stream that it has. */
function cameOver(attachment: Attachment): boolean {
  if (attachment.kind === "attached") return attachment.first;
  return attachment.kind === "in-session" && attachment.first && attachment.term.session.first;
}

/** Starts its ttl anew, unless its open stream, or its session, shows that its holder lives. */
export function restartTtl<H extends Held>(state: Clockwork<NoInfer<H>>, held: H): void {
  const { ttl, keepsOnCancel, attachment } = held;
  if (attachment.kind === "in-session") {
    state.deadlines.clear(held);
    return;
  }
  const lasts = attachment.kind === "attached" && (ttl === 0 || (attachment.monitored && !keepsOnCancel));
  if (ttl === undefined || lasts) state.deadlines.clear(held);
  else state.deadlines.set(held, state.now + ttl);
}

/** Its holder has shown life for it alone: it has its whole ttl from now. */
export function renewHeld<H extends Held>(state: Clockwork<NoInfer<H>>, held: H): void {
  const { id, attachment } = held;
  if (attachment.kind === "in-session") rejoin(state, attachment.term, id);
  else restartTtl(state, held);
}

/** Puts what is held into a session, which shows life for it from now on. What has no ttl needs none. */
export function holdIn(state: SessionHouse, held: Held, session: Session, first: boolean): void {
  const { id, ttl, keepsOnCancel } = held;
  if (ttl === undefined) held.attachment = DETACHED;
  else held.attachment = { kind: "in-session", term: join(state, session, { id, ttl, keepsOnCancel }), first };
}

/** Takes what is held out of its session, if it is in one. */
export function leaveSessionOf(state: SessionHouse, { id, attachment }: Held): void {
  if (attachment.kind === "in-session") part(state, attachment.term, id);
}

/** Gives what is held to another call; the stream of the call before, if it had one, is notified. */
export function attach<H extends Held>(
  state: Clockwork<NoInfer<H>>,
  held: H,
  by: Attachment | Session,
  keepsOnCancel: boolean,
): void {
  const before = streamOf(held);
  held.promises += 1;
  held.keepsOnCancel ||= keepsOnCancel;
  if (by.kind !== "session") {
    leaveSessionOf(state, held);
    held.attachment = by;
  } else if (sessionIdOf(held) !== by.id) {
    leaveSessionOf(state, held);
    holdIn(state, held, by, false);
  }
  if (before !== undefined && before !== streamOf(held)) {
    state.events.push({ to: before, about: held.id, news: { kind: "displaced", reason: "LEASE_DISPLACED" } });
  }
}

/** Whether a waiter, or puller, has its place for its ttl when its stream has ended. */
export function keepsPlace(
  { ttl, keepsOnCancel, requestId }: Pick<Queuer, "ttl" | "keepsOnCancel" | "requestId">,
  how: StreamEnd,
): boolean {
  return ttl !== 0 && requestId !== "" && (how === "lost" || keepsOnCancel);
}

/** A retry has found a place: the stream that has it, if there is one, is notified. */
export function displaceQueuer({ events }: Pick<Clockwork<never>, "events">, { id, stream }: Queuer): void {
  if (stream === undefined) return;
  events.push({ to: stream, about: id, news: { kind: "displaced", reason: "WAITER_DISPLACED" } });
}

/** Gives a place to the stream of another call, which waits there until `deadline`. */
export function takePlace<Q extends Queuer>(
  state: Clockwork<NoInfer<Q>>,
  queuer: Q,
  by: Streaming,
  deadline: number,
): void {
  queuer.stream = by.stream;
  queuer.monitored = by.monitored;
  queuer.keepsOnCancel = by.keepOnCancel;
  queuer.deadline = deadline;
  if (deadline === Number.POSITIVE_INFINITY) state.deadlines.clear(queuer);
  else state.deadlines.set(queuer, deadline);
}
