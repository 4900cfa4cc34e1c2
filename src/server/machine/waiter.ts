/** One in the queue, with a place in the queue of each instance that it claims. */

import type { Due } from "./deadlines.ts";
import type { FifoNode } from "./fifo.ts";
import type { Instance } from "./limiter.ts";

/** Names the stream of one call within its engine. */
export type StreamId = number;

/** What one request asks of one limiter. */
export interface Claim {
  readonly limiter: string;
  readonly key: string;
  readonly permits: number;
  readonly tokens: number;
  /** Whether each permit shall have a slot. */
  readonly slots: boolean;
}

/** A waiter's place in one queue. */
export interface Place extends FifoNode<Place> {
  readonly waiter: Waiter;
  readonly instance: Instance;
  readonly claim: Claim;
  /** How many present waiters stood before it when the queue was last surveyed. */
  ahead: number;
  /** µs that it would then still have waited here; undefined where that could not be known. */
  estimate: number | undefined;
}

export interface Waiter extends Due {
  readonly kind: "waiter";
  /** The id of the lease that it will have. */
  readonly id: string;
  readonly holder: string;
  readonly claims: readonly Claim[];
  readonly places: Place[];
  readonly arrivedAt: number;
  /** µs; the ttl of the lease that it will have, and of its place once its connection is lost. */
  readonly ttl: number;
  readonly trustCancel: boolean;
  readonly requestId: string;
  /** Undefined while it is away: its connection was lost, its place is kept until `dueAt`. */
  stream: StreamId | undefined;
  /** Whether the server can probe the stream's connection. */
  probed: boolean;
  /** When it gives up; Infinity: when it is cancelled. */
  deadline: number;
  /** `ahead` as its stream was last told. */
  toldAhead: number;
}
