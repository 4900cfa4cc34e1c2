/**
 * How holders and waiters show that they live, and what the end of their stream means: one rule for leases and
 * work on cards, for waiters and pullers.
 */

import type { Due } from "./structures/indexed-heap.ts";

/** Names the stream of one call within its engine. */
export type StreamId = number;

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

/**
 * How a stream has ended without the machine's doing. `lost`: its connection is gone. `cancelled`: it was reset over a
 * connection that lives, by its client or by a proxy in between.
 */
export type StreamEnd = "cancelled" | "lost";

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
  readonly reason: "WAITER_DISPLACED" | "LEASE_DISPLACED";
}

/** What of a machine's state tells time and streams. */
export interface Clockwork<T> {
  readonly now: number;
  readonly deadlines: { set(item: T, at: number): void; clear(item: T): void };
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

/** Whether this stream is the one over which it is held. */
export function isHeldOver({ attachment }: Held, stream: StreamId): boolean {
  return attachment.kind === "attached" && attachment.stream === stream;
}

/** Whether a lease, or work, lives on for its ttl when its stream has ended. */
export function outlivesStream({ ttl, keepsOnCancel, attachment }: Held, how: StreamEnd): boolean {
  const isLastWord = !keepsOnCancel && attachment.kind === "attached" && attachment.first;
  return ttl !== 0 && (how === "lost" || !isLastWord);
}

/** Starts its ttl anew, unless its open stream shows that its holder lives. */
export function restartTtl<H extends Held>(state: Clockwork<NoInfer<H>>, held: H): void {
  const { ttl, keepsOnCancel, attachment } = held;
  const lasts = attachment.kind === "attached" && (ttl === 0 || (attachment.monitored && !keepsOnCancel));
  if (ttl === undefined || lasts) state.deadlines.clear(held);
  else state.deadlines.set(held, state.now + ttl);
}

/** Gives what is held to another call; the stream of the call before, if it had one, is notified. */
export function attach<H extends Held>(
  state: Clockwork<NoInfer<H>>,
  held: H,
  attachment: Attachment,
  keepsOnCancel: boolean,
): void {
  const before = held.attachment;
  held.attachment = attachment;
  held.promises += 1;
  held.keepsOnCancel ||= keepsOnCancel;
  if (before.kind === "attached" && !isHeldOver(held, before.stream)) {
    state.events.push({ to: before.stream, about: held.id, news: { kind: "displaced", reason: "LEASE_DISPLACED" } });
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
