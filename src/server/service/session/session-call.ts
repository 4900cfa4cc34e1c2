/**
 * One session: reads its commands, has them decided in order, and says what comes of them. Commands have turns with the calls of
 * others, and none is read while the reader of the answers is behind.
 */

import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../clock.ts";
import type { BoardEngine } from "../../engine/board-engine.ts";
import type { Engine, EngineUnavailable } from "../../engine/engine.ts";
import {
  type SessionCard,
  type SessionCommand,
  SessionRenewedSchema,
  type SessionRequest,
  type SessionResponse,
} from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Ids } from "../../ids.ts";
import { refusal } from "../../machine/reasons.ts";
import {
  cancelled,
  draining,
  invalidRequest,
  notKept,
  refusalError,
  tooManyCommands,
  WireError,
} from "../../wire/error-wire.ts";
import { OK, statusToWire } from "../../wire/status-wire.ts";
import { optionalDuration } from "../../wire/time-wire.ts";
import type { CallsUnderWay, UnderWay } from "../calls-under-way.ts";
import { failureOf } from "../failure.ts";
import type { Heartbeats } from "../heartbeats.ts";
import type { BidiStream, StreamEnd } from "../rpc.ts";
import { type BoardSide, createBoardSide } from "./board-side.ts";
import { checkCommand, checkMessage, checkOpening } from "./check.ts";
import { createLimiterSide, type LimiterSide, type SideOptions } from "./limiter-side.ts";
import { createOpenCommands, type OpenCommand, type Side } from "./open-commands.ts";
import { type Answer, createSessionOutbox } from "./outbox.ts";

export interface SessionPorts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly engine: Engine;
  readonly boards: BoardEngine;
  readonly heartbeats: Heartbeats;
  readonly calls: Pick<CallsUnderWay, "add" | "remove" | "dueAt">;
  /** Commands without a last answer that a session may have; asked for anew with each. */
  readonly maxCommands: () => number;
}

export interface SessionCall {
  /** As of `OpenCall`. */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

type Stream = BidiStream<SessionRequest, SessionResponse>;

/** Commands that are decided before others have a turn. */
const COMMANDS_A_TURN = 256;

/** `isStopping`: nothing new is taken. */
export function openSessionCall(
  ports: SessionPorts,
  stream: Stream,
  { isStopping, onOver }: { readonly isStopping: () => boolean; readonly onOver: (call: SessionCall) => void },
): SessionCall {
  const { clock, ids, engine, boards, heartbeats, calls, maxCommands } = ports;
  const commands = createOpenCommands();
  /** Those of which the engine has yet to say the first word, the oldest first. */
  const asked = new Set<OpenCommand>();
  const messages: SessionRequest[] = [];
  let next = 0;
  let left = COMMANDS_A_TURN;
  let turning = false;
  let phase: "new" | "opening" | "open" | "over" = "new";
  let halfClosed = false;
  let isFirst = true;
  let limiterSide: LimiterSide | undefined;
  let boardSide: BoardSide | undefined;
  let sideOptions: SideOptions | undefined;
  let touched: Record<Side, boolean> = { limiters: false, boards: false };
  const outbox = createSessionOutbox({ stream, onFilled: scheduleTurn, onEmpty: work });
  const heart = heartbeats.add(() => outbox.beat());

  const underWay: UnderWay = {
    get dueAt() {
      const [oldest] = asked;
      return oldest?.dueAt ?? Number.POSITIVE_INFINITY;
    },
    overdue() {
      const now = clock.now();
      for (const command of [...asked]) {
        if (command.dueAt > now) break;
        if (command.subject !== "") sideOf(command.side)?.abandon(command);
        fail(command, notKept());
      }
      if (asked.size > 0) calls.add(underWay);
    },
    sendAway(error) {
      for (const command of [...asked]) fail(command, error);
    },
  };

  // Turns

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

  function hear(message: SessionRequest): void {
    if (phase === "over") return;
    messages.push(message);
    work();
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
      carryOut(message.commands[next] as SessionCommand);
    }
    if (phase !== "open" || next < message.commands.length) return;
    next = 0;
    isFirst = false;
    messages.shift();
    showLife();
  }

  /** Any message is a sign of life, at both engines. */
  function showLife(): void {
    if (!touched.limiters) limiterSide?.renew(NOTHING, NOTHING);
    if (!touched.boards) boardSide?.renew(NOTHING, NOTHING);
    touched = { limiters: false, boards: false };
  }

  // Opening

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
    sideOptions = optionsOf(sessionId, keepOnCancel);
    limiterSide = createLimiterSide(engine, sideOptions);
    if (resume === undefined) limiterSide.open(() => opened(sessionId, undefined), lose);
    else resumeBoth(sessionId);
  }

  function optionsOf(sessionId: string, keepOnCancel: boolean): SideOptions {
    const at = commands.at;
    return { sessionId, monitored: stream.probed, keepOnCancel, ids, outbox, close, fail, waits, at, displaced, lose };
  }

  /** A session may have something left at one engine alone: it is opened anew at the other, as soon as that is needed. */
  function resumeBoth(sessionId: string): void {
    const side = limiterSide as LimiterSide;
    const boardsToo = createBoardSide(boards, sideOptions as SideOptions);
    side.resume((leaseIds) => {
      boardsToo.resume((cards) => {
        if (phase !== "opening") return;
        if (cards === undefined) boardsToo.forget();
        else boardSide = boardsToo;
        if (leaseIds === undefined && cards === undefined) {
          breakOff(refusalError(refusal("SESSION_NOT_FOUND")));
        } else if (leaseIds === undefined) {
          side.open(() => opened(sessionId, { leaseIds: [], cards: cards ?? [] }), lose);
        } else {
          opened(sessionId, { leaseIds, cards: cards ?? [] });
        }
      }, lose);
    }, lose);
  }

  function opened(
    sessionId: string,
    resumed: { readonly leaseIds: readonly string[]; readonly cards: readonly SessionCard[] } | undefined,
  ): void {
    if (phase !== "opening") return;
    phase = "open";
    outbox.opened({
      $typeName: "ggen.backpressure.v1.SessionOpened",
      credential: {
        $typeName: "ggen.backpressure.v1.SessionCredential",
        sessionId,
        secret: ids.secretOf(sessionId),
      },
      resumed: resumed !== undefined,
      leaseIds: [...(resumed?.leaseIds ?? [])],
      cards: [...(resumed?.cards ?? [])],
    });
    work();
  }

  // Commands

  function carryOut({ id, command }: SessionCommand): void {
    if (commands.get(id) !== undefined) {
      breakOff(invalidRequest([{ field: "commands.id", description: IN_USE, reason: "session_command.id" }]));
      return;
    }
    const violations = checkCommand(command);
    if (violations.length > 0) {
      outbox.answer(id, { case: "failed", value: statusToWire(invalidRequest(violations)) }, undefined);
      return;
    }
    if (command.case === "cancel") {
      cancel(command.value.commandId);
      outbox.answer(id, { case: "failed", value: OK }, undefined);
      return;
    }
    const bound = maxCommands();
    if (commands.size >= bound) {
      outbox.answer(id, { case: "failed", value: statusToWire(tooManyCommands(bound)) }, undefined);
      return;
    }
    const one = openCommandOf(id, command);
    commands.add(one);
    try {
      submit(one, command);
    } catch (thrown) {
      // What the rules of the contract cannot say.
      if (!(thrown instanceof WireError)) throw thrown;
      fail(one, thrown);
    }
    if (one.phase === "asked") {
      one.dueAt = calls.dueAt(undefined);
      asked.add(one);
      if (asked.size === 1) calls.add(underWay);
    }
  }

  function submit(one: OpenCommand, command: SessionCommand["command"]): void {
    const limiters = limiterSide as LimiterSide;
    if (isStopping() && NEW.has(command.case)) {
      fail(one, draining());
      return;
    }
    if (one.side === "limiters") touched.limiters = true;
    else touched.boards = true;
    switch (command.case) {
      case "acquire":
        limiters.acquire(one, command.value);
        return;
      case "tryAcquire":
        limiters.tryAcquire(one, command.value);
        return;
      case "release":
        touched.limiters = command.value.secret === "" && command.value.requestId === "";
        limiters.release(one, command.value);
        return;
      case "renew":
        renew(one);
        return;
      case "pull":
        boardsOf().pull(one, command.value);
        return;
      case "tryPull":
        boardsOf().tryPull(one, command.value);
        return;
      case "finish":
        boardsOf().finish(one, command.value);
        return;
      case "giveBack":
        boardsOf().giveBack(one, command.value);
        return;
      case "sendBack":
        boardsOf().sendBack(one, command.value);
        return;
    }
  }

  /** The boards' side is opened with the first command for it. */
  function boardsOf(): BoardSide {
    if (boardSide === undefined) {
      boardSide = createBoardSide(boards, sideOptions as SideOptions);
      boardSide.open(lose);
    }
    return boardSide;
  }

  function renew(one: OpenCommand): void {
    const failed = (error: EngineUnavailable) => fail(one, failureOf(error));
    const renewed = (validFor: number | undefined) => {
      close(one, { case: "renewed", value: create(SessionRenewedSchema, { validFor: optionalDuration(validFor) }) });
    };
    touched = { limiters: true, boards: true };
    (limiterSide as LimiterSide).renew((ofLeases) => {
      if (boardSide === undefined) renewed(ofLeases);
      else boardSide.renew((ofCards) => renewed(least(ofLeases, ofCards)), failed);
    }, failed);
  }

  function cancel(id: bigint): void {
    const command = commands.get(id);
    if (command === undefined || command.subject === "") return;
    if (command.phase === "waiting") {
      sideOf(command.side)?.leaveQueue(command.subject, "cancelled");
      fail(command, cancelled());
    } else {
      command.cancelled = true;
    }
  }

  function waits(command: OpenCommand, subject: string): WireError | undefined {
    const before = commands.waits(command, subject);
    asked.delete(command);
    if (before !== undefined && before !== command) fail(before, refusalError(refusal("WAITER_DISPLACED")));
    if (command.cancelled) return cancelled();
    return isStopping() ? draining() : undefined;
  }

  function close(command: OpenCommand, answer: Answer) {
    if (command.phase === "over") return undefined;
    asked.delete(command);
    commands.close(command);
    if (asked.size === 0) calls.remove(underWay);
    return outbox.answer(command.id, answer, command);
  }

  function fail(command: OpenCommand, error: WireError): void {
    close(command, { case: "failed", value: statusToWire(error) });
  }

  function sideOf(side: Side): LimiterSide | BoardSide | undefined {
    return side === "limiters" ? limiterSide : boardSide;
  }

  // The end

  /** The client has closed its side: what it has left is treated as after a cancel. */
  function finish(): void {
    leaveAll("cancelled");
    outbox.flushAll();
    stream.end();
  }

  function leaveAll(how: StreamEnd): void {
    over();
    limiterSide?.leave(how);
    boardSide?.leave(how);
  }

  function displaced(): void {
    breakOff(refusalError(refusal("SESSION_DISPLACED")));
  }

  function lose(error: EngineUnavailable): void {
    breakOff(failureOf(error));
  }

  /** What the session has is not its stream's any more, or is orphaned. */
  function breakOff(error: WireError): void {
    if (phase === "over") return;
    leaveAll("lost");
    outbox.flushAll();
    stream.fail(error);
  }

  function over(): void {
    phase = "over";
    messages.length = 0;
    heart.stop();
    calls.remove(underWay);
    onOver(call);
  }

  const call: SessionCall = {
    drain(endTime, waiterLeaves) {
      for (const command of commands.waiting()) {
        sideOf(command.side)?.leaveQueue(command.subject, command.side === "boards" ? "cancelled" : waiterLeaves);
        fail(command, draining());
      }
      if (phase === "open") outbox.draining(endTime);
    },
  };

  stream.onMessage(hear);
  stream.onHalfClose(() => {
    halfClosed = true;
    if (phase !== "over" && phase !== "opening" && messages.length === 0) finish();
  });
  stream.onEnd((how) => {
    if (phase !== "over") leaveAll(how);
  });
  return call;
}

const IN_USE = "names a command that has no last answer yet; ids are unique among those";
/** What takes something new. */
const NEW: ReadonlySet<string | undefined> = new Set(["acquire", "tryAcquire", "pull", "tryPull"]);
const BOARD_COMMANDS: ReadonlySet<string | undefined> = new Set(["pull", "tryPull", "finish", "giveBack", "sendBack"]);

function openCommandOf(id: bigint, command: SessionCommand["command"]): OpenCommand {
  const requestId = command.case === "acquire" || command.case === "tryAcquire" ? command.value.requestId : "";
  const pullId = command.case === "pull" || command.case === "tryPull" ? command.value.requestId : "";
  return {
    id,
    side: BOARD_COMMANDS.has(command.case) ? "boards" : "limiters",
    phase: "asked",
    subject: "",
    requestId: requestId === "" ? pullId : requestId,
    dueAt: 0,
    cancelled: false,
    board: "",
    immediate: false,
    place: undefined,
  };
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

const NOTHING = () => {};
