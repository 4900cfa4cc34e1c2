/**
 * A call whose stream first waits and then holds: an Acquire, or a pull. It passes on to its client what the engine says. When
 * the stream ends without the server's doing it gives back what it has; when the server stops, waiters are rejected and holders
 * are notified.
 */

import type { EngineUnavailable } from "../engine/engine.ts";
import type { StreamId } from "../machine/liveness.ts";
import type { TraceContext } from "../tracing/trace-context.ts";
import { draining } from "../wire/error-wire.ts";
import { failureOf } from "./failure.ts";
import type { Heart, Heartbeats } from "./heartbeats.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import type { ServerStream, StreamEnd } from "./rpc.ts";
import type { StreamOver } from "./verbs.ts";

/** A call that is open. */
export interface OpenCall {
  /**
   * The server stops. A waiter is asked to come back later, and leaves its queue as if its stream had ended in this way. A
   * holder learns until when (ms since 1970) it may hold.
   */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

/** How a stream has ended without the server's doing. */
export interface Gone {
  /** The engine's. */
  readonly stream: StreamId;
  readonly how: StreamEnd;
  /** Whether the message that tells what is held has not left this process. */
  readonly unheard: boolean;
}

/** What an answer, or news, mean for the call. */
export type Turn =
  /** It waits, in the place of this id. */
  | { readonly kind: "waits"; readonly id: string }
  /** What it asked for is granted, and held under this id; undefined: nothing is held. */
  | { readonly kind: "holds"; readonly id: string | undefined };

/** What differs between an Acquire and a pull. `Q`: what is asked, `N`: what the engine says, `E`: what the client receives of it, in `O`. */
export interface HeldCallKind<Q, N, E extends Said, O> {
  /** The event that tells what is held. */
  readonly grant: E["case"];
  /** The id that is asked under; undefined: something that lives already is asked for. */
  askedId(question: Q): string | undefined;
  /** Opens the engine's stream for this call. */
  openStream(hear: (news: N) => void, lose: (error: EngineUnavailable) => void): StreamId;
  closeStream(stream: StreamId): void;
  /** Asks the engine. */
  ask(
    question: Q,
    by: { readonly stream: StreamId; readonly monitored: boolean },
    answer: (answer: N) => void,
    fail: (error: EngineUnavailable) => void,
    trace: TraceContext | undefined,
  ): void;
  /** Undefined: it stands as before. */
  turnOf(news: N): Turn | undefined;
  /** Undefined: there is nothing to say but how it ends. */
  toMessage(news: N): E | undefined;
  /** Undefined: it goes on. */
  toEnd(news: N): StreamOver | undefined;
  /** Reads the place of a waiter anew; undefined: it waits no more. */
  readPlace(id: string): Promise<N | undefined>;
  /** Says that a holder's call lives. */
  readonly heartbeat: E;
  /** Says that the server stops, and until when (ms since 1970) its holder may finish. */
  toDraining(endTime: number): E;
  /** Puts an event into the message that carries it. */
  toResponse(event: E): O;
  /** What has this id goes back to the engine, as the stream has ended. */
  giveBack(question: Q, id: string, gone: Gone): void;
}

/** One of the contract's events. */
interface Said {
  readonly case: string;
}

export interface HeldCallOptions<Q, O> {
  readonly stream: ServerStream<O>;
  readonly question: Q;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<OpenCall>;
}

type Phase =
  /** The engine has not answered yet. */
  | { readonly kind: "asked" }
  | { readonly kind: "waiting"; readonly id: string }
  | { readonly kind: "holding"; readonly id: string }
  | { readonly kind: "over" };

/** Asks, and talks through the stream until it ends. */
export function openHeldCall<Q, N, E extends Said, O>(
  kind: HeldCallKind<Q, N, E, O>,
  heartbeats: Heartbeats,
  options: HeldCallOptions<Q, O>,
): void {
  new HeldCall(kind, heartbeats, options).open();
}

/** A class, since each stream has one: closures would take three times the memory. */
class HeldCall<Q, N, E extends Said, O> implements OpenCall {
  readonly #kind: HeldCallKind<Q, N, E, O>;
  readonly #stream: ServerStream<O>;
  readonly #question: Q;
  readonly #openCalls: Set<OpenCall>;
  readonly #outbox: Outbox<E["case"], O>;
  readonly #heart: Heart;
  readonly #engineStream: StreamId;
  #phase: Phase = ASKED;
  // Before the answer there is nothing that could be given back, and it is not known whether it waits.
  #goneEarly: StreamEnd | undefined;
  #drainsEarly: Parameters<OpenCall["drain"]> | undefined;

  constructor(
    kind: HeldCallKind<Q, N, E, O>,
    heartbeats: Heartbeats,
    { stream, question, openCalls }: HeldCallOptions<Q, O>,
  ) {
    this.#kind = kind;
    this.#stream = stream;
    this.#question = question;
    this.#openCalls = openCalls;
    this.#outbox = createOutbox(stream);
    this.#heart = heartbeats.add(() => this.#beat());
    this.#engineStream = kind.openStream(
      (news) => this.#hear(news),
      (error) => this.#lose(error),
    );
  }

  open(): void {
    this.#openCalls.add(this);
    this.#stream.onEnd((how) => this.#onEnd(how));
    const by = { stream: this.#engineStream, monitored: this.#stream.probed };
    this.#kind.ask(
      this.#question,
      by,
      (answer) => this.#answer(answer),
      (error) => this.#lose(error),
      this.#stream.span?.context,
    );
  }

  drain(endTime: number, waiterLeaves: StreamEnd): void {
    if (this.#phase.kind === "asked") {
      this.#drainsEarly = [endTime, waiterLeaves];
    } else if (this.#phase.kind === "holding") {
      this.#say(this.#kind.toDraining(endTime));
    } else if (this.#phase.kind === "waiting") {
      this.#leave(waiterLeaves);
      this.#stream.fail(draining());
    }
  }

  #answer(answer: N): void {
    this.#hear(answer);
    if (this.#goneEarly !== undefined && this.#phase.kind !== "over") this.#leave(this.#goneEarly);
    if (this.#drainsEarly !== undefined) this.drain(...this.#drainsEarly);
  }

  #hear(news: N): void {
    if (this.#phase.kind === "over") return;
    const turn = this.#kind.turnOf(news);
    if (turn?.kind === "waits") this.#phase = { kind: "waiting", id: turn.id };
    if (turn?.kind === "holds") {
      this.#outbox.drop("waiting");
      if (turn.id !== undefined) this.#phase = { kind: "holding", id: turn.id };
    }
    const event = this.#kind.toMessage(news);
    if (event !== undefined) this.#say(event);
    const over = this.#kind.toEnd(news);
    if (over !== undefined) this.#end(over);
  }

  #say(event: E): void {
    this.#outbox.put(event.case, this.#kind.toResponse(event));
    this.#heart.touch();
  }

  #beat(): void {
    if (this.#phase.kind === "holding") this.#say(this.#kind.heartbeat);
    if (this.#phase.kind !== "waiting") return;
    this.#kind.readPlace(this.#phase.id).then((place) => {
      if (this.#phase.kind === "waiting" && place !== undefined) this.#hear(place);
    }, LEFT_OUT);
  }

  #lose(error: EngineUnavailable): void {
    if (this.#phase.kind !== "over") this.#end(failureOf(error));
  }

  #onEnd(how: StreamEnd): void {
    if (this.#phase.kind !== "asked") {
      if (this.#phase.kind !== "over") this.#leave(how);
      return;
    }
    if (this.#goneEarly !== undefined) return;
    this.#goneEarly = how;
    // The answer may wait for the disk for long: what was decided by now is given back at once.
    const id = this.#kind.askedId(this.#question);
    const gone = { stream: this.#engineStream, how, unheard: true };
    if (id !== undefined) this.#kind.giveBack(this.#question, id, gone);
  }

  /** Ends the stream, after all that was said. */
  #end(how: StreamOver): void {
    this.#close();
    this.#outbox.flush();
    if (how === "ok") this.#stream.end();
    else this.#stream.fail(how);
  }

  #leave(how: StreamEnd): void {
    const phase = this.#phase;
    const id = phase.kind === "waiting" || phase.kind === "holding" ? phase.id : undefined;
    const unheard = this.#goneEarly !== undefined || this.#outbox.keeps(this.#kind.grant);
    this.#close();
    if (id !== undefined) this.#kind.giveBack(this.#question, id, { stream: this.#engineStream, how, unheard });
  }

  #close(): void {
    this.#phase = OVER;
    this.#heart.stop();
    this.#kind.closeStream(this.#engineStream);
    this.#openCalls.delete(this);
  }
}

const ASKED: Phase = { kind: "asked" };
const OVER: Phase = { kind: "over" };
/** A beat whose place cannot be read is left out: the stream hears by itself when the engine is lost. */
const LEFT_OUT = () => {};
