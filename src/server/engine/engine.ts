/**
 * The port between the services and whatever decides for them: an engine in this process, in another thread, or elsewhere.
 *
 * **Values.** Only plain values cross it: they go on changing on neither side, and survive being written as JSON, where a field
 * that is undefined is one that is missing. Spans are µs, instants ms since 1970; no clock of a process is shared. Each command
 * is answered once; each piece of news names the waiter, lease or session that it is about.
 *
 * **Order.** Commands are decided in the order in which they are submitted, each at one instant and as a whole. What is said of
 * one waiter or lease is said in the order in which it was decided: the answer before any news of the same step, and both
 * before what a later command brings. A permit that one command frees is the head's of the queue before the next is decided.
 *
 * **Durability.** What was decided is said once its changes, and all that was decided before, are kept as durably as the
 * configuration asks. These overtake what waits to be kept, since they take no capacity and promise none:
 * - a refusal, as an answer and as news. It is the last word of its waiter; only the answer to the command that it refuses
 *   may still come;
 * - the answer to a command that gives back or shows life (`OVERTAKES`), and the ends of leases that come of it: forgotten by
 *   a crash, those leases live on for their ttl. They overtake nothing that grants the same lease.
 * A renewal of a session may be said before a grant of that session is: it confirms only leases that its client knows of.
 * Everything else keeps its order: grants and places, revocations, displacements, and every change of a limiter. Reads and
 * watches show what is decided, kept or not.
 *
 * **Unavailable.** A command is answered or fails with `EngineUnavailable`, a read resolves or rejects with it, and a stream or
 * a watch ends with it, though never before the call that has opened it returns. An engine that loses a stream so takes it for one whose connection was lost: its leases and places
 * wait for their ttl. So an end of a stream that cannot be submitted needs no second attempt.
 *
 * **Sessions.** Many waiters and leases may stand on one stream: a session's. Each of its commands names both, so that one which
 * comes over an older stream is refused. A lease of a session is not left by itself (`leave`), only with the session.
 */

import type { Command } from "../machine/limiter/command.ts";
import type { ShownNews, ShownOutcomeOf } from "../machine/limiter/show.ts";
import type { LeaseView, LimiterSample, LimiterView, WaiterView } from "../machine/limiter/view.ts";
import type { StreamId } from "../machine/liveness.ts";
import type { Page } from "../machine/page.ts";
import type { TraceContext } from "../tracing/trace-context.ts";

/** What is asked of an engine. Time, and what it does at its start and its end, are its own affair. */
export type Ask = Exclude<Command, { readonly kind: "wake" | "end-learning" | "stop-granting" | "declare" }>;

export type AnswerTo<A extends Ask> = ShownOutcomeOf<A>;

/** Whether the answer to a command overtakes what waits to be kept. */
export const OVERTAKES: Readonly<Record<Ask["kind"], boolean>> = {
  acquire: false,
  "try-acquire": false,
  resume: false,
  "open-session": false,
  "resume-session": false,
  "renew-session": true,
  "leave-session": true,
  leave: true,
  renew: true,
  release: true,
  withdraw: true,
  abandon: true,
  revoke: false,
  "cancel-waiter": false,
  "create-limiter": false,
  "update-limiter": false,
  "delete-limiter": false,
};

/** What a stream hears between its own commands. */
export type StreamNews =
  | ShownNews
  /** Its place in the queue is nearer than when its stream last heard of it. */
  | { readonly kind: "moved"; readonly waiter: WaiterView };

/** Hears the news of one stream; `about`: the id of the waiter, lease or session that they are about. */
export type StreamListener = (news: StreamNews, about: string) => void;

export interface Engine {
  /**
   * Carries out a command. One of the two is called, once, perhaps before this returns. `trace`: the span of a sampled call, to which
   * those of its wait and of its hold belong.
   */
  submit<A extends Ask>(
    command: A,
    answer: (answer: AnswerTo<A>) => void,
    fail: (error: EngineUnavailable) => void,
    trace?: TraceContext,
  ): void;

  /** Opens a stream for waiters and leases. After `fail` nothing more is said to it. */
  openStream(listener: StreamListener, fail: (error: EngineUnavailable) => void): StreamId;
  /** Nothing more is said to this stream. It does not end what the stream holds: that is the `leave` command. */
  closeStream(stream: StreamId): void;

  /** One limiter; of a keyed one, `key` asks for the status of that key alone. */
  limiter(name: string, key: string): Promise<LimiterView | undefined>;
  /** Limiters by name, those after `after`. */
  limiters(query: { readonly after: string; readonly limit: number }): Promise<Page<LimiterView>>;
  /** One lease; undefined once it has ended. */
  lease(id: string): Promise<LeaseView | undefined>;
  /** Leases, the longest held first. Empty `limiter` or `key`: any. */
  leases(query: LeaseQuery): Promise<Page<LeaseView>>;
  /** Whether a lease of this id and caller lives, or its end is remembered. */
  knowsLease(id: string, caller: string): Promise<boolean>;
  /** Waiters of one limiter in the order of arrival; undefined if there is no such limiter. */
  waiters(query: LeaseQuery): Promise<Page<WaiterView> | undefined>;
  /** One waiter, with its place as of a moment ago; undefined once it has left. Cheap: its stream asks with every beat. */
  waiter(id: string): Promise<WaiterView | undefined>;
  /**
   * How a limiter stood in the last hour, from `from` (ms since 1970) on, the latest last; undefined if there is no such limiter.
   * Empty where none is kept.
   */
  history(name: string, from: number): Promise<readonly LimiterSample[] | undefined>;
  /** Calls back, a few times a second at most, with what changed; returns what ends that. */
  watch(listener: (changed: LimiterChanges) => void, fail: (error: EngineUnavailable) => void): () => void;

  /** Has something written down that a front has done or refused by itself, where that is done. */
  note(noted: Noted): Promise<void>;

  /**
   * Carries out no command any more: those without an answer, and all from here on, fail. Streams and watches hear nothing
   * more. What is kept stays as it is: streams that end from here on lose neither their leases nor their places.
   */
  close(): Promise<void>;
}

/** What a front has done or refused by itself. */
export type Noted =
  | RefusedCall
  /** A page has shown a token, or given up its login. */
  | { readonly event: "login" | "logout"; readonly caller: string; readonly peer: string }
  /** A page has shown a token that does not count. `more`: as of `RefusedCall`. */
  | { readonly event: "login-refused"; readonly peer: string; readonly more: number };

/** A call that was refused. */
export interface RefusedCall {
  readonly event: "denied";
  readonly caller: string;
  /** `ggen.backpressure.v1.LimiterService/DeleteLimiter`. */
  readonly method: string;
  /** Address and port. */
  readonly peer: string;
  /** Why, for people. */
  readonly message: string;
  /** How many more there were since the one before, of which nothing was said. */
  readonly more: number;
}

/** The engine cannot be reached, or has ended. */
export class EngineUnavailable extends Error {
  override readonly name = "EngineUnavailable";
  /** Whether what was asked was decided: it was not, or that is unknown. */
  readonly decided: "no" | "unknown";

  constructor(decided: "no" | "unknown") {
    super(decided === "no" ? "the engine cannot be reached" : "the engine was lost before it answered");
    this.decided = decided;
  }
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
