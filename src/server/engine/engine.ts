/**
 * The port between the services and whatever decides for them.
 *
 * What an engine hands out comes in the order in which it was decided: the answer to a command before the events of any
 * later one, and none of them before its changes are kept as durably as the configuration asks.
 *
 * What takes no capacity waits for no disk, and may overtake what waits:
 * - a refusal, as an outcome and as an event: it promises nothing, so a crash that forgets why makes it no lie;
 * - the answer to `renew`, to `release`, `withdraw` and `abandon`, and the end of the leases that these end: forgotten by a
 *   crash, those leases live on for their ttl.
 * Everything else keeps its order: grants and places, `Revoking`, displacements, and every change of a limiter. Of one stream
 * no grant is said after its refusal, since that ends it. The rule is every engine's.
 */

import type { StreamId } from "../machine/claim.ts";
import type { Command } from "../machine/command.ts";
import type { ShownNews, ShownOutcomeOf } from "../machine/show.ts";
import type { LeaseView, LimiterView, Page, WaiterView } from "../machine/view.ts";

/** What a stream is told between its own commands. */
export type StreamNews =
  | ShownNews
  /** Its place in the queue is nearer than it was last told. */
  | { readonly kind: "moved"; readonly waiter: WaiterView };

/** Hears the news of one stream; `about`: the id of the waiter or lease that they are about. */
export type StreamListener = (news: StreamNews, about: string) => void;

export type OutcomesOf<C extends readonly Command[]> = { readonly [I in keyof C]: ShownOutcomeOf<C[I]> };

export interface Engine {
  /** Carries out commands in order, at one instant. `answer` is called once, with the outcomes in the same order. */
  submit<const C extends readonly Command[]>(commands: C, answer: (outcomes: OutcomesOf<C>) => void): void;

  /** Opens a stream for the waiters and leases of one call. */
  openStream(listener: StreamListener): StreamId;
  /** Nothing more is said to this stream. It does not end what the stream holds: that is the `leave` command. */
  closeStream(stream: StreamId): void;

  /** One limiter; of a keyed one, `key` asks for the status of that key alone. */
  limiter(name: string, key: string): Promise<LimiterView | undefined>;
  /** Limiters by name, those after `after`. */
  limiters(query: { readonly after: string; readonly limit: number }): Promise<Page<LimiterView>>;
  /** Leases, the longest held first. Empty `limiter` or `key`: any. */
  leases(query: LeaseQuery): Promise<Page<LeaseView>>;
  /** Whether a lease of this id lives, or its end is remembered. */
  knowsLease(id: string): Promise<boolean>;
  /** Waiters of one limiter in the order of arrival; undefined if there is no such limiter. */
  waiters(query: LeaseQuery): Promise<Page<WaiterView> | undefined>;
  /** One waiter, with its place as of a moment ago; undefined once it has left. Cheap: its stream asks with every beat. */
  waiter(id: string): Promise<WaiterView | undefined>;
  /** Calls back, a few times a second at most, with what changed; returns what ends that. */
  watch(listener: (changed: LimiterChanges) => void): () => void;

  /**
   * Carries out no command any more, and says nothing more. What is kept stays as it is: streams that end from here on
   * lose neither their leases nor their places.
   */
  close(): Promise<void>;
}

export interface LeaseQuery {
  readonly limiter: string;
  readonly key: string;
  /** The page token of the page before; empty: from the start. */
  readonly after: string;
  readonly limit: number;
}

export interface LimiterChanges {
  readonly changed: readonly LimiterView[];
  readonly removed: readonly string[];
}
