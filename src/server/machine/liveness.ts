/**
 * How holders and waiters show that they live, and what the end of their stream means: one rule for leases and
 * work on cards, for waiters and pullers.
 */

import type { StreamId } from "./claim.ts";

/** A stream is open. */
export interface Attached {
  readonly kind: "attached";
  readonly stream: StreamId;
  /** If the server cannot probe its connection (HTTP/1.1), the lease needs Renew all the same. */
  readonly probed: boolean;
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
export function grantedOver(stream: StreamId, probed: boolean): Attached {
  return { kind: "attached", stream, probed, first: true };
}

/** Returns what an open stream is to a lease that lives already. */
export function takenUpOver(stream: StreamId, probed: boolean): Attached {
  return { kind: "attached", stream, probed, first: false };
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
  /** Neither the request nor a limiter says that a cancel may be another's, or comes from an attempt that was given up. */
  readonly trustCancel: boolean;
  readonly attachment: Attachment;
}

/** Waits for a lease or a card. */
interface Queuer {
  readonly ttl: number | undefined;
  readonly trustCancel: boolean;
  /** Under which it can come back; empty: it cannot. */
  readonly requestId: string;
}

/** Whether a lease, or work, lives on for its ttl when its stream has ended. */
export function outlivesStream({ ttl, trustCancel, attachment }: Holder, how: StreamEnd): boolean {
  const isLastWord = trustCancel && attachment.kind === "attached" && attachment.first;
  return ttl !== 0 && (how === "lost" || !isLastWord);
}

/** Whether a waiter, or puller, has its place for its ttl when its stream has ended. */
export function keepsPlace({ ttl, trustCancel, requestId }: Queuer, how: StreamEnd): boolean {
  return ttl !== 0 && requestId !== "" && (how === "lost" || !trustCancel);
}

/** Whether what is held so lives on however long its holder says nothing: the server finds out that its connection is dead. */
export function outlivesSilence(attachment: Attachment, ttl: number | undefined): boolean {
  return ttl === undefined || (attachment.kind === "attached" && (attachment.probed || ttl === 0));
}
