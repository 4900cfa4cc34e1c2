/**
 * A call whose stream first waits and then holds: an Acquire, or a pull. It passes on to its client what the engine says. When
 * the stream ends without the server's doing it gives back what it has; when the server stops, waiters are rejected and holders
 * are notified.
 */

import type { EngineUnavailable } from "../engine/engine.ts";
import type { StreamId } from "../machine/liveness.ts";
import { draining } from "../wire/error-wire.ts";
import { failureOf } from "./failure.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createOutbox } from "./outbox.ts";
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
  { stream, question, openCalls }: HeldCallOptions<Q, O>,
): void {
  let phase: Phase = { kind: "asked" };
  // Before the answer there is nothing that could be given back, and it is not known whether it waits.
  let goneEarly: StreamEnd | undefined;
  let drainsEarly: Parameters<OpenCall["drain"]> | undefined;
  const outbox = createOutbox<E["case"], O>(stream);
  const heart = heartbeats.add(beat);
  const engineStream = kind.openStream(hear, lose);

  function say(event: E): void {
    outbox.put(event.case, kind.toResponse(event));
    heart.touch();
  }

  function hear(news: N): void {
    if (phase.kind === "over") return;
    const turn = kind.turnOf(news);
    if (turn?.kind === "waits") phase = { kind: "waiting", id: turn.id };
    if (turn?.kind === "holds") {
      outbox.drop("waiting");
      if (turn.id !== undefined) phase = { kind: "holding", id: turn.id };
    }
    const event = kind.toMessage(news);
    if (event !== undefined) say(event);
    const over = kind.toEnd(news);
    if (over !== undefined) end(over);
  }

  function beat(): void {
    if (phase.kind === "holding") say(kind.heartbeat);
    if (phase.kind !== "waiting") return;
    kind.readPlace(phase.id).then((place) => {
      if (phase.kind === "waiting" && place !== undefined) hear(place);
    }, LEFT_OUT);
  }

  function lose(error: EngineUnavailable): void {
    if (phase.kind !== "over") end(failureOf(error));
  }

  function close(): void {
    phase = { kind: "over" };
    heart.stop();
    kind.closeStream(engineStream);
    openCalls.delete(call);
  }

  /** Ends the stream, after all that was said. */
  function end(how: StreamOver): void {
    close();
    outbox.flush();
    if (how === "ok") stream.end();
    else stream.fail(how);
  }

  function leave(how: StreamEnd): void {
    const id = phase.kind === "waiting" || phase.kind === "holding" ? phase.id : undefined;
    const unheard = goneEarly !== undefined || outbox.keeps(kind.grant);
    close();
    if (id !== undefined) kind.giveBack(question, id, { stream: engineStream, how, unheard });
  }

  const call: OpenCall = {
    drain(endTime, waiterLeaves) {
      if (phase.kind === "asked") {
        drainsEarly = [endTime, waiterLeaves];
      } else if (phase.kind === "holding") {
        say(kind.toDraining(endTime));
      } else if (phase.kind === "waiting") {
        leave(waiterLeaves);
        stream.fail(draining());
      }
    },
  };

  openCalls.add(call);
  stream.onEnd((how) => {
    if (phase.kind === "asked") {
      if (goneEarly !== undefined) return;
      goneEarly = how;
      // The answer may wait for the disk for long: what was decided by now is given back at once.
      const id = kind.askedId(question);
      if (id !== undefined) kind.giveBack(question, id, { stream: engineStream, how, unheard: true });
    } else if (phase.kind !== "over") {
      leave(how);
    }
  });
  kind.ask(
    question,
    { stream: engineStream, monitored: stream.probed },
    (answer) => {
      hear(answer);
      if (goneEarly !== undefined && phase.kind !== "over") leave(goneEarly);
      if (drainsEarly !== undefined) call.drain(...drainsEarly);
    },
    lose,
  );
}

/** A beat whose place cannot be read is left out: the stream hears by itself when the engine is lost. */
const LEFT_OUT = () => {};
