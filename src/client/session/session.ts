/**
 * One session with the server, taken up again over another call whenever its call is lost. The commands of one turn of the event
 * loop leave as one message.
 */

import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import type { Draining } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  RenewSessionSchema,
  type SessionCredential,
  type SessionNotice,
  type SessionOpened,
  type SessionRequest,
  SessionRequestSchema,
  type SessionResponse,
} from "../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Clock } from "../rpc/clock.ts";
import type { CallHeaders } from "../rpc/headers.ts";
import { createCarriage } from "./carriage.ts";
import { type Answer, type Asker, type Command, type CommandTrace, createCommands } from "./commands.ts";
import { ELSEWHERE, reasonIn } from "./errors.ts";
import { createGathered, type Gathered } from "./gathered.ts";
import { createQuiet } from "./quiet.ts";
import { openSessionCall, type SessionCall } from "./session-call.ts";

export interface Session {
  /** Whether commands go by it; else calls are made as if there were no sessions. */
  readonly isCarried: boolean;
  readonly isAway: boolean;
  /** Asks, in the message of this turn. Opens the session, or takes it up again, where it is away. Returns the command's id. */
  submit(command: Command, asker: Asker, trace?: CommandTrace): bigint;
  /** The same with one `renew` for all that ask for it in this turn. */
  renew(asker: Asker): void;
  /** The asker of a command has gone. Returns whether the server may have heard of it. */
  forget(id: bigint): boolean;
  /** What it holds has changed by itself. */
  look(): void;
  /** A call has gone without it, and was answered, or failed with this error. */
  wentElsewhere(error?: unknown): void;
  close(): void;
}

/** What is held in the session. */
export interface SessionHolding {
  /** How many leases and cards live. */
  readonly living: number;
  /** How many of them have a stream. */
  readonly attached: number;
  /** The session was taken up again: these live. */
  resumed(opened: SessionOpened): void;
  /** The session is no more, nor what lived in it. */
  lost(): void;
  /** The session is away. */
  broken(error: Error): void;
  /** The last answer of a command whose asker has gone. */
  unclaimed(answer: Answer, command: Command): void;
  notice(notice: SessionNotice): void;
  draining(draining: Draining): void;
}

export interface SessionOptions {
  readonly transport: Transport;
  /** Those of the call that is the session, said anew with each; unset: none. */
  readonly headers?: (() => CallHeaders) | undefined;
  readonly clock: Clock;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  /** ms for the first session to be opened; after that it counts as not carried. */
  readonly openWithin: number;
  readonly holding: SessionHolding;
  /** Called when nothing is waited for and no stream is open, so that the process may end, and when that is over. */
  readonly onRest: (isAtRest: boolean) => void;
}

type Phase =
  | { readonly kind: "away" }
  | {
      readonly kind: "opening";
      readonly call: SessionCall;
      readonly resumes: boolean;
      /** Calls off the bound of its time. */
      readonly stopWaiting: () => void;
      readonly gathered: Gathered;
    }
  | { readonly kind: "open"; readonly call: SessionCall };

const AWAY: Phase = { kind: "away" };

export function createSession(options: SessionOptions): Session {
  const { transport, headers, clock, defer, openWithin, holding, onRest } = options;
  const commands = createCommands(holding.unclaimed);
  const carriage = createCarriage(open);
  let phase: Phase = AWAY;
  let credential: SessionCredential | undefined;
  /** Whether a turn has ended since the last message. */
  let isDue = false;
  let isFlushing = false;
  let renewal: { readonly id: bigint; readonly askers: Asker[] } | undefined;
  let isBeatDue = false;
  const quiet = createQuiet({ clock, onRest, onIdle: finish, beat });

  function submit(command: Command, asker: Asker, trace?: CommandTrace): bigint {
    const id = commands.add(command, asker, trace);
    if (!isFlushing) {
      isFlushing = true;
      defer(flush);
    }
    look();
    return id;
  }

  function flush(): void {
    isFlushing = false;
    if (!commands.hasUnsent) return;
    isDue = true;
    if (phase.kind === "away") open();
    else phase.call.wake();
  }

  function open(): void {
    if (phase.kind !== "away") return;
    const resume = holding.living > 0 ? credential : undefined;
    let first: SessionRequest | undefined = create(SessionRequestSchema, { open: { resume, keepOnCancel: true } });

    function take(): SessionRequest | undefined {
      const hasMore = isBeatDue || (isDue && commands.hasUnsent);
      const message = first ?? (hasMore ? create(SessionRequestSchema) : undefined);
      if (message === undefined) return undefined;
      first = undefined;
      isBeatDue = false;
      quiet.sent();
      message.commands = commands.take();
      isDue = commands.hasUnsent;
      if (message.commands.some(({ id }) => id === renewal?.id)) renewal = undefined;
      return message;
    }

    const call = openSessionCall(transport, {
      headers,
      take: () => (isCurrent(call) ? take() : undefined),
      onMessage: (message) => isCurrent(call) && hear(message),
      onOver: (error) => isCurrent(call) && over(error),
    });
    const stopWaiting = carriage.isBounded ? clock.scheduleInBackground(openWithin, late) : () => {};
    phase = { kind: "opening", call, resumes: resume !== undefined, stopWaiting, gathered: createGathered() };
  }

  function isCurrent(call: SessionCall): boolean {
    return phase.kind !== "away" && phase.call === call;
  }

  function hear({ opened, answers, notices, draining }: SessionResponse): void {
    if (opened !== undefined) onOpened(opened);
    // A renewal counts for what still lives after the other news.
    for (const answer of answers) if (answer.answer.case !== "renewed") commands.answer(answer);
    for (const notice of notices) holding.notice(notice);
    for (const answer of answers) if (answer.answer.case === "renewed") commands.answer(answer);
    if (draining !== undefined) holding.draining(draining);
    look();
  }

  function onOpened(part: SessionOpened): void {
    if (phase.kind !== "opening") return;
    phase.stopWaiting();
    const opened = phase.gathered.add(part);
    if (opened === undefined) return;
    phase = { kind: "open", call: phase.call };
    carriage.opened();
    quiet.opened();
    credential = opened.credential;
    holding.resumed(opened);
  }

  function over(error: ConnectError | undefined): void {
    const was = phase;
    phase = AWAY;
    if (was.kind === "opening") was.stopWaiting();
    const reason = error && reasonIn(error);
    if (was.kind === "opening" && was.resumes && reason === "SESSION_NOT_FOUND") {
      startAnew();
    } else if (was.kind === "opening" && error?.code === Code.Unimplemented && reason === undefined) {
      carriage.refused();
      fail(ELSEWHERE);
    } else {
      carriage.failed();
      fail(connectionError(error, reason));
    }
    look();
  }

  /** What was held has ended. The commands were not decided. */
  function startAnew(): void {
    credential = undefined;
    holding.lost();
    commands.sendAgain();
    isDue = commands.hasUnsent;
    if (isDue) open();
  }

  function fail(error: Error): void {
    renewal = undefined;
    holding.broken(error);
    commands.failAll(error);
  }

  function late(): void {
    if (phase.kind !== "opening") return;
    const { call } = phase;
    phase = AWAY;
    call.cut();
    carriage.late();
    fail(ELSEWHERE);
    look();
  }

  function look(): void {
    const isAtRest = commands.open === 0 && holding.attached === 0;
    quiet.look({ isAtRest, isEmpty: isAtRest && holding.living === 0 && phase.kind === "open" });
  }

  function beat(): boolean {
    if (phase.kind !== "open") return false;
    isBeatDue = true;
    phase.call.wake();
    return true;
  }

  function finish(): void {
    credential = undefined;
    if (phase.kind !== "away") phase.call.finish();
    phase = AWAY;
  }

  return {
    get isCarried() {
      return carriage.bySession;
    },
    get isAway() {
      return phase.kind !== "open";
    },
    submit,
    renew(asker) {
      if (renewal !== undefined) {
        renewal.askers.push(asker);
        return;
      }
      const askers = [asker];
      const id = submit(
        { case: "renew", value: create(RenewSessionSchema) },
        {
          onAnswer: (answer) => {
            for (const one of askers) one.onAnswer(answer);
          },
          onFailed: (error) => {
            for (const one of askers) one.onFailed(error);
          },
        },
      );
      renewal = { id, askers };
    },
    forget(id) {
      const isSent = commands.forget(id);
      look();
      return isSent;
    },
    look,
    wentElsewhere(error) {
      if (error === undefined || reasonIn(error) !== undefined) carriage.answered();
      else carriage.failed();
    },
    close() {
      if (phase.kind === "opening") phase.stopWaiting();
      quiet.stop();
      finish();
    },
  };
}

/** The server lives, as far as is known, and so may what it holds. */
function connectionError(error: ConnectError | undefined, reason: string | undefined): ConnectError {
  if (error === undefined) return new ConnectError("the server has ended the session", Code.Unavailable);
  // By an attempt to take it up again that was given up, and comes late.
  if (reason === "SESSION_DISPLACED") return new ConnectError(error.rawMessage, Code.Unavailable);
  return error;
}
