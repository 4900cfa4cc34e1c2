/**
 * What is said over a link, in both directions in order. An id is the front's own, and names what is answered; so is the number
 * of a stream. Every message is a plain object with a `kind`, so that a later version can add kinds and fields.
 */

import type { TraceContext } from "../../tracing/trace-context.ts";
import type { BoardAnswerTo, BoardAsk, BoardEngine, PullNews } from "../board-engine.ts";
import type { AnswerTo, Ask, Engine, EngineUnavailable, LimiterChanges, StreamNews } from "../engine.ts";

/** The two ports, one beside the other. */
export interface Engines {
  readonly limiters: Engine;
  readonly boards: BoardEngine;
}

/** Which of the two a message is for. */
export type Of = keyof Engines;

export type AnyAsk = Ask | BoardAsk;
export type AnyAnswer = AnswerTo<Ask> | BoardAnswerTo<BoardAsk>;
export type AnyNews = StreamNews | PullNews;

/** Methods of a port that only look. */
type ReadsOf<E> = Exclude<
  {
    [K in keyof E]: E[K] extends (...args: never) => Promise<unknown> ? K : never;
  }[keyof E],
  "close"
>;

/** All of them: what a front names is looked up here, and nothing else of an engine can be called. */
export const READS: { readonly [O in Of]: Readonly<Record<ReadsOf<Engines[O]>, true>> } = {
  limiters: {
    limiter: true,
    limiters: true,
    lease: true,
    leases: true,
    knowsLease: true,
    waiters: true,
    waiter: true,
    history: true,
    note: true,
  },
  boards: {
    board: true,
    boards: true,
    card: true,
    cards: true,
    flow: true,
    delta: true,
    working: true,
    place: true,
  },
};

export type Read<O extends Of> = ReadsOf<Engines[O]>;

/** From a front. */
export type FromFront = { readonly of: Of } /** `trace`: of a sampled call. */ & (
  | { readonly kind: "submit"; readonly id: number; readonly command: AnyAsk; readonly trace?: TraceContext }
  | { readonly kind: "read"; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: "open-stream" | "close-stream"; readonly stream: number }
  /** A front has one subscription to each engine at most, whatever the number of its watchers. */
  | { readonly kind: "watch" | "unwatch" }
);

/** From the engines' owner. */
export type FromOwner =
  | { readonly kind: "answer"; readonly id: number; readonly value?: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly decided: EngineUnavailable["decided"] }
  /** `about`: the id of the waiter, lease, pull or session. */
  | { readonly kind: "news"; readonly stream: number; readonly about: string; readonly news: AnyNews }
  | { readonly kind: "limiters-changed"; readonly changes: LimiterChanges }
  | { readonly kind: "boards-changed"; readonly boards: readonly string[] }
  /** The engine has ended for this subscription, or for this stream. */
  | { readonly kind: "watch-failed"; readonly of: Of; readonly decided: EngineUnavailable["decided"] }
  | { readonly kind: "stream-failed"; readonly stream: number; readonly decided: EngineUnavailable["decided"] };
