/**
 * The owner's side of a link: carries out what a front asks. A front that is lost is to the engines what lost connections are:
 * its leases are orphaned, and its waiters keep their places, each for its ttl.
 */

import type { Clock } from "../../clock.ts";
import type { StreamId } from "../../machine/liveness.ts";
import type { SessionRef } from "../../machine/session.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import { createSlices } from "../embedded/slices.ts";
import { EngineUnavailable } from "../engine.ts";
import { type Carrier, createChannel, type LossReason } from "./channel.ts";
import { createFrontStreams, type Left, leaveOf } from "./front-streams.ts";
import {
  type AnyAnswer,
  type AnyAsk,
  type AnyNews,
  type Engines,
  type FromFront,
  type FromOwner,
  type Of,
  READS,
} from "./messages.ts";

export interface ServeLinkOptions {
  readonly engines: Engines;
  readonly carrier: Carrier;
  readonly clock: Clock;
  /** Called once, when the front is lost or given up. */
  readonly onLost: (why: LossReason) => void;
  /** An engine threw something else than that it is out of reach: for the front it is unknown what came of its command. */
  readonly onBug: (error: unknown) => void;
}

export interface ServedLink {
  /** Takes the front for lost, if it is not. */
  lose(): void;
}

/** What of an engine is used here, whichever of the two it is. */
interface AnyEngine {
  submit(
    command: AnyAsk,
    answer: (answer: AnyAnswer) => void,
    fail: (error: EngineUnavailable) => void,
    trace?: TraceContext,
  ): void;
  openStream(hear: (news: AnyNews, about: string) => void, fail: (error: EngineUnavailable) => void): StreamId;
  closeStream(stream: StreamId): void;
  watch(hear: (changes: never) => void, fail: (error: EngineUnavailable) => void): () => void;
}

type Reads = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;

/** Waiters and holders of a lost front that leave at once before other fronts have a turn. */
const LEAVE_AT_ONCE = 200;

export function serveLink({ engines, carrier, clock, onLost, onBug }: ServeLinkOptions): ServedLink {
  // A front says with each message which engine it is for, and its own types see to it that it fits.
  const anyEngines = engines as unknown as Readonly<Record<Of, AnyEngine>>;
  const reads = engines as unknown as Readonly<Record<Of, Reads>>;
  const streams = createFrontStreams();
  const unwatch: Record<Of, () => void> = { limiters: NOTHING, boards: NOTHING };
  const leaving = createSlices<Left>({ clock, size: LEAVE_AT_ONCE, handle: leaveSome });
  let lost = false;
  const channel = createChannel<FromFront, FromOwner>({ carrier, hear, onLost: loseBecause });

  function hear(message: FromFront): void {
    switch (message.kind) {
      case "submit":
        submit(message);
        break;
      case "read":
        read(message);
        break;
      case "open-stream":
        openStream(message.of, message.stream);
        break;
      case "close-stream": {
        const stream = streams.get(message.stream);
        if (stream !== undefined) anyEngines[stream.of].closeStream(stream.own);
        streams.close(message.stream);
        break;
      }
      case "watch":
        watch(message.of);
        break;
      case "unwatch":
        stopWatching(message.of);
        break;
    }
  }

  function submit({ of, id, command, trace }: Extract<FromFront, { kind: "submit" }>): void {
    const over = "stream" in command ? command.stream : undefined;
    const stream = over === undefined ? undefined : streams.get(over);
    const own = withOwnStreams(command, stream?.own ?? NO_STREAM);
    if (over !== undefined && (command.kind === "open-session" || command.kind === "resume-session")) {
      streams.opens(over, command.sessionId);
    }
    const answer = (value: AnyAnswer) => {
      channel.say({ kind: "answer", id, value });
      // What belongs to a session is left with it.
      if (over === undefined || stream === undefined || sessionOf(command) !== undefined) return;
      if (command.kind === "leave" || command.kind === "leave-pull" || command.kind === "leave-session") {
        streams.left(over, command);
      } else if (lost) leaveAtOnce(of, leaveOf(value, stream.own));
      else streams.answered(over, value);
    };
    try {
      anyEngines[of].submit(own, answer, ({ decided }) => channel.say({ kind: "failed", id, decided }), trace);
    } catch (error) {
      failBecause(id, error);
    }
  }

  /** The same command, with the engine's numbers of streams for the front's. */
  function withOwnStreams(command: AnyAsk, own: StreamId): AnyAsk {
    const renamed = "stream" in command ? { ...command, stream: own } : command;
    const session = sessionOf(command);
    if (session === undefined) return renamed;
    return { ...renamed, session: { id: session.id, stream: streams.get(session.stream)?.own ?? NO_STREAM } } as AnyAsk;
  }

  function read({ of, id, method, args }: Extract<FromFront, { kind: "read" }>): void {
    if (!Object.hasOwn(READS[of], method)) {
      failBecause(id, new Error(`a front asked for ${method}, which no engine has`));
      return;
    }
    reads[of][method]?.(...args).then(
      (value) => channel.say({ kind: "answer", id, value }),
      (error) => failBecause(id, error),
    );
  }

  function failBecause(id: number, error: unknown): void {
    const known = error instanceof EngineUnavailable;
    if (!known) onBug(error);
    channel.say({ kind: "failed", id, decided: known ? error.decided : "unknown" });
  }

  function openStream(of: Of, stream: number): void {
    const own = anyEngines[of].openStream(
      (news, about) => {
        channel.say({ kind: "news", stream, about, news });
        streams.said(stream, about, news);
      },
      ({ decided }) => channel.say({ kind: "stream-failed", stream, decided }),
    );
    streams.open(stream, { of, own });
  }

  function watch(of: Of): void {
    stopWatching(of);
    const fail = ({ decided }: EngineUnavailable) => {
      unwatch[of] = NOTHING;
      channel.say({ kind: "watch-failed", of, decided });
    };
    unwatch[of] =
      of === "limiters"
        ? engines.limiters.watch((changes) => channel.say({ kind: "limiters-changed", changes }), fail)
        : engines.boards.watch((names) => channel.say({ kind: "boards-changed", boards: [...names] }), fail);
  }

  function stopWatching(of: Of): void {
    unwatch[of]();
    unwatch[of] = NOTHING;
  }

  function loseBecause(why: LossReason): void {
    lost = true;
    stopWatching("limiters");
    stopWatching("boards");
    for (const { of, own } of streams.all()) anyEngines[of].closeStream(own);
    leaving.begin([...streams.subjects()]);
    onLost(why);
  }

  function leaveSome(some: readonly Left[], last: boolean): void {
    for (const { of, leave } of some) leaveAtOnce(of, leave);
    if (last) streams.clear();
  }

  function leaveAtOnce(of: Of, leave: Left["leave"] | undefined): void {
    if (leave !== undefined) anyEngines[of].submit(leave, NOTHING, NOTHING);
  }

  return {
    lose() {
      if (lost) return;
      channel.close();
      loseBecause("closed");
    },
  };
}

function sessionOf(command: AnyAsk): SessionRef | undefined {
  return "session" in command ? command.session : undefined;
}

/** No engine gives this number to a stream. */
const NO_STREAM = 0;
const NOTHING = () => {};
