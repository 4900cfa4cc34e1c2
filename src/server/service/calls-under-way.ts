/**
 * Calls whose answers, or whose streams' first words, wait until something is kept. None waits for ever: what a disk does not
 * keep within the drain's time, or the caller's own where that is shorter, is answered UNAVAILABLE. A server that stops lets
 * calls have their answers, and refuses at its end what has none. Without that, transports that close would end them as if by
 * a bug.
 */

import type { Clock } from "../clock.ts";
import { EngineUnavailable } from "../engine/engine.ts";
import { notKept, sentAway, type WireError } from "../wire/error-wire.ts";
import { failureOf } from "./failure.ts";
import { PassedCall, PassedStream } from "./passed-call.ts";
import {
  decorate,
  type RpcService,
  type ServerStream,
  type ServerStreamHandler,
  type UnaryCall,
  type UnaryHandler,
} from "./rpc.ts";

export interface CallsUnderWay {
  readonly count: number;
  /** Returns the same service, whose calls are known here until they are answered. */
  watch(service: RpcService): RpcService;
  /** Knows of something that waits, until it is overdue or removed. */
  add(one: UnderWay): void;
  remove(one: UnderWay): void;
  /** µs: when what is asked now is overdue. `timeout`: µs that its caller gives it. */
  dueAt(timeout: number | undefined): number;
  /** Rejects pending and future calls with UNAVAILABLE. Their commands may still take effect. */
  sendAway(): void;
}

export interface CallsUnderWayOptions {
  readonly clock: Clock;
  /** µs that an answer may take; asked for anew with each call. */
  readonly bound: () => number;
}

export interface UnderWay {
  /** µs: when it is answered without what it waits for. */
  readonly dueAt: number;
  /** That time has passed, and it is no longer known here. It takes nothing any more, and its caller hears so. */
  overdue(): void;
  /** The server ends. */
  sendAway(error: WireError): void;
}

/** µs between two looks at what is overdue. */
const LOOK = 50_000;
/** µs, and share of the caller's time, by which the answer comes before its deadline. */
const MARGIN = 250_000;
const MARGIN_SHARE = 0.25;

export function createCallsUnderWay({ clock, bound }: CallsUnderWayOptions): CallsUnderWay {
  const underWay = new Set<UnderWay>();
  let looking = false;
  let over = false;

  function add(one: UnderWay): void {
    underWay.add(one);
    if (looking) return;
    looking = true;
    clock.schedule(clock.now() + LOOK, false, look);
  }

  function look(): void {
    looking = false;
    const now = clock.now();
    for (const one of underWay) {
      if (one.dueAt > now) continue;
      underWay.delete(one);
      one.overdue();
    }
    if (underWay.size === 0 || over) return;
    looking = true;
    clock.schedule(now + LOOK, false, look);
  }

  function dueAt(timeout: number | undefined): number {
    const own = timeout === undefined ? Number.POSITIVE_INFINITY : timeout - Math.min(MARGIN, timeout * MARGIN_SHARE);
    return clock.now() + Math.min(bound(), own);
  }

  function watched(handle: UnaryHandler<unknown, unknown>): UnaryHandler<unknown, unknown> {
    return (request, call) => {
      if (over) throw sentAway();
      const watchedCall = new WatchedCall(call);
      const answer = answerNow(handle, request, watchedCall);
      if (!(answer instanceof Promise)) return answer;
      return new Promise((resolve, reject) => {
        const one: UnderWay = {
          dueAt: dueAt(call.timeout),
          overdue() {
            watchedCall.abandon();
            reject(notKept());
          },
          sendAway: reject,
        };
        add(one);
        answer.then(
          (value) => {
            underWay.delete(one);
            resolve(value);
          },
          (error) => {
            underWay.delete(one);
            reject(forCaller(error));
          },
        );
      });
    };
  }

  function watchedStream(handle: ServerStreamHandler<unknown, unknown>): ServerStreamHandler<unknown, unknown> {
    return (request, stream) => {
      if (over) throw sentAway();
      const watched = new WatchedStream(stream, underWay, dueAt(stream.timeout));
      add(watched);
      try {
        handle(request, watched);
      } catch (error) {
        underWay.delete(watched);
        throw error;
      }
    };
  }

  return {
    get count() {
      return underWay.size;
    },
    add,
    remove: (one) => void underWay.delete(one),
    dueAt,
    watch: (service) => decorate(service, { unary: watched, stream: watchedStream }),
    sendAway() {
      over = true;
      for (const one of underWay) one.sendAway(sentAway());
    },
  };
}

const NOTHING = () => {};

/** The answer, or what is thrown, as its caller hears it. */
function answerNow(handle: UnaryHandler<unknown, unknown>, request: unknown, call: UnaryCall): unknown {
  try {
    return handle(request, call);
  } catch (error) {
    throw forCaller(error);
  }
}

function forCaller(error: unknown): unknown {
  return error instanceof EngineUnavailable ? failureOf(error) : error;
}

/** The same call, whose caller may also be given up by the server. */
class WatchedCall extends PassedCall<UnaryCall> implements UnaryCall {
  #onGone: (() => void) | undefined;

  onGone(listener: () => void): void {
    this.#onGone = listener;
    this.passed.onGone(() => this.abandon());
  }

  abandon(): void {
    const listener = this.#onGone;
    this.#onGone = undefined;
    listener?.();
  }
}

/** The same stream, which is no longer under way when it speaks or ends. */
class WatchedStream<O> extends PassedStream<O> implements UnderWay {
  readonly dueAt: number;
  readonly #underWay: Set<UnderWay>;
  #onEnd: Parameters<ServerStream<O>["onEnd"]>[0] = NOTHING;

  constructor(stream: ServerStream<O>, underWay: Set<UnderWay>, dueAt: number) {
    super(stream);
    this.#underWay = underWay;
    this.dueAt = dueAt;
  }

  override send(message: O): boolean {
    this.#underWay.delete(this);
    return this.passed.send(message);
  }

  override end(): void {
    this.#underWay.delete(this);
    this.passed.end();
  }

  override fail(error: WireError): void {
    this.#underWay.delete(this);
    this.passed.fail(error);
  }

  override onEnd(listener: Parameters<ServerStream<O>["onEnd"]>[0]): void {
    this.#onEnd = listener;
    this.passed.onEnd((how) => {
      this.#underWay.delete(this);
      listener(how);
    });
  }

  /** Its service gives back what it has, as after a cancel. */
  overdue(): void {
    this.#onEnd("cancelled");
    this.passed.fail(notKept());
  }

  sendAway(error: WireError): void {
    this.passed.fail(error);
  }
}
