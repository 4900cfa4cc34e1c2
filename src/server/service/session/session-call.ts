/**
 * One session: reads its commands, has them decided in order, and says what comes of them. Commands have turns with the calls of
 * others, and none is read while the reader of the answers is behind.
 */

import type { BoardEngine } from "../../engine/board-engine.ts";
import type { Engine } from "../../engine/engine.ts";
import type {
  SessionCommand,
  SessionRequest,
  SessionResponse,
} from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Ids } from "../../ids.ts";
import { refusal } from "../../machine/reasons.ts";
import { draining, invalidRequest, refusalError, type WireError } from "../../wire/error-wire.ts";
import { byName, type CommandCallerOf } from "../command-caller.ts";
import { failureOf } from "../failure.ts";
import type { Heartbeats } from "../heartbeats.ts";
import type { BidiStream, StreamEnd } from "../rpc.ts";
import { type CarryingPorts, createCarrying } from "./carrying.ts";
import { checkMessage, checkOpening } from "./check.ts";
import { openedParts } from "./opened-parts.ts";
import { createSessionOutbox } from "./outbox.ts";
import { createSides, type Resumed, type Sides } from "./sides.ts";

export interface SessionPorts extends CarryingPorts {
  readonly ids: Ids;
  readonly engine: Engine;
  readonly boards: BoardEngine;
  readonly heartbeats: Heartbeats;
  /** As of AdmissionService. */
  readonly commandCaller?: CommandCallerOf;
}

export interface SessionCall {
  /** As of `OpenCall`. */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

export interface SessionCallOptions {
  readonly stream: BidiStream<SessionRequest, SessionResponse>;
  /** The server takes nothing new. */
  readonly isStopping: () => boolean;
  readonly onOver: (call: SessionCall) => void;
}

/** Commands that are decided before others have a turn. */
const COMMANDS_A_TURN = 256;

export function openSessionCall(ports: SessionPorts, { stream, isStopping, onOver }: SessionCallOptions): SessionCall {
  const { ids, heartbeats, commandCaller = byName } = ports;
  const messages: SessionRequest[] = [];
  /** Of the first message: the command that is next. */
  let next = 0;
  /** Commands that may be decided in this turn. */
  let left = COMMANDS_A_TURN;
  let turning = false;
  let phase: "new" | "opening" | "open" | "over" = "new";
  let halfClosed = false;
  let isFirst = true;
  let sides: Sides | undefined;
  const outbox = createSessionOutbox({ stream, onFilled: scheduleTurn, onEmpty: work });
  const carrying = createCarrying(ports, { outbox, call: stream, sides: () => sides as Sides, isStopping });
  const heart = heartbeats.add(() => outbox.beat());

  function scheduleTurn(): void {
    if (turning || phase === "over") return;
    turning = true;
    setImmediate(turn);
  }

  function turn(): void {
    turning = false;
    left = COMMANDS_A_TURN;
    work();
    if (phase === "over") return;
    outbox.flush();
    heart.touch();
  }

  /** Decides what may be decided in this turn. */
  function work(): void {
    while (messages.length > 0 && left > 0 && phase !== "opening" && phase !== "over" && !outbox.behind) {
      takeSome(messages[0] as SessionRequest);
    }
    if (phase === "over") return;
    if (messages.length > 0) {
      stream.pause();
      if (left === 0) scheduleTurn();
    } else {
      stream.resume();
      if (halfClosed && phase !== "opening") finish();
    }
  }

  function takeSome(message: SessionRequest): void {
    if (phase === "new") {
      open(message);
      return;
    }
    if (next === 0) {
      const violations = checkMessage(message, isFirst);
      if (violations.length > 0) {
        breakOff(invalidRequest(violations));
        return;
      }
    }
    for (; next < message.commands.length && left > 0 && phase === "open"; next += 1) {
      left -= 1;
      const violation = carrying.carryOut(message.commands[next] as SessionCommand);
      if (violation !== undefined) breakOff(invalidRequest([violation]));
    }
    if (phase !== "open" || next < message.commands.length) return;
    next = 0;
    isFirst = false;
    messages.shift();
    sides?.showLife();
  }

  function open(message: SessionRequest): void {
    const opening = checkOpening(message);
    if (opening.kind === "invalid") {
      breakOff(invalidRequest(opening.violations));
      return;
    }
    const { resume, keepOnCancel } = opening.open;
    if (resume === undefined && isStopping()) {
      breakOff(draining());
      return;
    }
    if (resume !== undefined && !ids.isSecretOf(resume.sessionId, resume.secret)) {
      breakOff(refusalError(refusal("SESSION_NOT_FOUND")));
      return;
    }
    phase = "opening";
    const sessionId = resume?.sessionId ?? ids.next();
    const { at, traceOf, asks, waits, close, fail } = carrying;
    sides = createSides(ports, {
      at,
      traceOf,
      asks,
      waits,
      close,
      fail,
      sessionId,
      by: () => commandCaller(stream.caller),
      monitored: stream.probed,
      keepOnCancel,
      ids,
      outbox,
      displaced: () => breakOff(refusalError(refusal("SESSION_DISPLACED"))),
      lose: (error) => breakOff(failureOf(error)),
    });
    if (resume === undefined) sides.open(() => opened(sessionId, false, NOTHING_LEFT));
    else sides.resume((resumed) => (resumed === undefined ? lost() : opened(sessionId, true, resumed)));
  }

  function lost(): void {
    breakOff(refusalError(refusal("SESSION_NOT_FOUND")));
  }

  function opened(sessionId: string, resumed: boolean, left: Resumed): void {
    if (phase !== "opening") return;
    phase = "open";
    const secret = ids.secretOf(sessionId);
    outbox.opened(
      openedParts({ $typeName: "ggen.backpressure.v1.SessionCredential", sessionId, secret }, resumed, left),
    );
    work();
  }

  /** The client has closed its side: what it has left is treated as after a cancel. */
  function finish(): void {
    leaveAll("cancelled");
    outbox.flushAll();
    stream.end();
  }

  /** What the session has is not its stream's any more, or is orphaned. */
  function breakOff(error: WireError): void {
    if (phase === "over") return;
    leaveAll("lost");
    outbox.flushAll();
    stream.fail(error);
  }

  function leaveAll(how: StreamEnd): void {
    phase = "over";
    messages.length = 0;
    heart.stop();
    carrying.stop();
    onOver(call);
    sides?.leave(how);
  }

  const call: SessionCall = {
    drain(endTime, waiterLeaves) {
      carrying.drain(waiterLeaves);
      if (phase === "open") outbox.draining(endTime);
    },
  };

  stream.onMessage((message) => {
    if (phase === "over") return;
    messages.push(message);
    work();
  });
  stream.onHalfClose(() => {
    halfClosed = true;
    if (phase !== "over" && phase !== "opening" && messages.length === 0) finish();
  });
  stream.onEnd((how) => {
    if (phase !== "over") leaveAll(how);
  });
  return call;
}

const NOTHING_LEFT: Resumed = { leaseIds: [], cards: [] };
