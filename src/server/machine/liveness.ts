/**
 * How holders and waiters show that they live, and what the end of their stream means: one rule for leases and
 * work on cards, for waiters and pullers.
 */

import type { StreamId } from "./claim.ts";

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

/** Holds a lease or a card. */
interface Holder {
  /** µs; undefined: for ever. */
  readonly ttl: number | undefined;
  /**
   * The request has promised to end by a word and to renew, since a proxy may stand between: then a cancelled stream is a
   * lost one, and an open stream shows no life.
   */
  readonly keepsOnCancel: boolean;
  readonly attachment: Attachment;
}

/** Waits for a lease or a card. */
interface Queuer {
  readonly ttl: number | undefined;
  /** As for a holder. */
  readonly keepsOnCancel: boolean;
  /** Under which it can come back; empty: it cannot. */
  readonly requestId: string;
}

/** Whether a lease, or work, lives on for its ttl when its stream has ended. */
export function outlivesStream({ ttl, keepsOnCancel, attachment }: Holder, how: StreamEnd): boolean {
  const isLastWord = !keepsOnCancel && attachment.kind === "attached" && attachment.first;
  return ttl !== 0 && (how === "lost" || !isLastWord);
}

/** Whether a waiter, or puller, has its place for its ttl when its stream has ended. */
export function keepsPlace({ ttl, keepsOnCancel, requestId }: Queuer, how: StreamEnd): boolean {
  return ttl !== 0 && requestId !== "" && (how === "lost" || keepsOnCancel);
}

/** Whether a lease, or work, lives on however long its holder says nothing: its open stream shows that the holder lives. */
export function outlivesSilence({ ttl, keepsOnCancel, attachment }: Holder): boolean {
  if (ttl === undefined) return true;
  return attachment.kind === "attached" && (ttl === 0 || (attachment.monitored && !keepsOnCancel));
}
