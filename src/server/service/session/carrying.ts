/** Carries out the commands of a session, and knows those that have no last answer yet. */

import { create } from "@bufbuild/protobuf";
import type { CallerQuotas } from "../../access/caller-quotas.ts";
import type { Clock } from "../../clock.ts";
import type { ReleaseRequest } from "../../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  type SessionAnswer,
  type SessionCommand,
  SessionRenewedSchema,
} from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import { refusal } from "../../machine/reasons.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import {
  Code,
  cancelled,
  draining,
  type FieldViolation,
  invalidRequest,
  notKept,
  refusalError,
  tooManyCommands,
  WireError,
} from "../../wire/error-wire.ts";
import { OK, statusToWire } from "../../wire/status-wire.ts";
import { optionalDuration } from "../../wire/time-wire.ts";
import { hide } from "../access/decide.ts";
import type { CommandGuard } from "../access/guard.ts";
import type { CallsUnderWay, UnderWay } from "../calls-under-way.ts";
import { failureOf } from "../failure.ts";
import type { Call, StreamEnd } from "../rpc.ts";
import type { Outcome } from "../rpc-span.ts";
import { checkCommand } from "./check.ts";
import { type CommandSpan, type CommandTraces, outcomeOfAnswer } from "./command-traces.ts";
import {
  type CommandId,
  commandIdOf,
  createOpenCommands,
  type OpenCommand,
  openCommandOf,
  requestIdOf,
} from "./open-commands.ts";
import type { Answer, SessionOutbox } from "./outbox.ts";
import type { Sides } from "./sides.ts";

export interface CarryingPorts {
  readonly clock: Clock;
  readonly calls: Pick<CallsUnderWay, "add" | "remove" | "dueAt">;
  /** What the access list says of commands; unset: nothing. */
  readonly guard?: CommandGuard | undefined;
  /** Bounds how often a caller may ask; unset: nothing does. */
  readonly quotas?: Pick<CallerQuotas, "refusalOfRequest"> | undefined;
  /** Commands without a last answer that a session may have; asked for anew with each. */
  readonly maxCommands: () => number;
  /** Undefined: no spans are made. */
  readonly traces?: CommandTraces | undefined;
  /** Hears of each command that fails with an error of the contract. */
  readonly onRefused?: ((error: WireError) => void) | undefined;
}

export interface CarryingOptions {
  readonly outbox: SessionOutbox;
  /** Who has the session, and from where. */
  readonly call: Call;
  /** The session's sides, once it is open. */
  readonly sides: () => Sides;
  /** The server takes nothing new. */
  readonly isStopping: () => boolean;
}

export interface Carrying {
  /** Carries out one command. Returns what breaks the session. */
  carryOut(command: SessionCommand): FieldViolation | undefined;
  /** The command that waits in the place of this id. */
  at(subject: string): OpenCommand | undefined;
  /** The span of a command; undefined: it is not sampled. */
  traceOf(command: OpenCommand): TraceContext | undefined;
  /** See `OpenCommands`. */
  asks(command: OpenCommand, subject: string): void;
  /** See `SideOptions`. */
  waits(command: OpenCommand, subject: string): boolean;
  close(command: OpenCommand, answer: Answer): SessionAnswer | undefined;
  fail(command: OpenCommand, error: WireError): void;
  /** The server stops: commands that wait leave their queues as if the stream had ended in this way. */
  drain(waiterLeaves: StreamEnd): void;
  /** The session is over: nothing is known of its commands any more. */
  stop(): void;
}

/** A command that the engine has not answered. */
interface Asked {
  /** µs: when it is answered without the engine. */
  readonly dueAt: number;
  readonly requestId: string;
}

export function createCarrying(ports: CarryingPorts, options: CarryingOptions): Carrying {
  const { clock, calls, guard, quotas, maxCommands, traces, onRefused } = ports;
  const { outbox, call, sides, isStopping } = options;
  const commands = createOpenCommands();
  /** Those of which the engine has yet to say the first word, the oldest first. */
  const asked = new Map<OpenCommand, Asked>();
  /** Work of which its caller may hear nothing but of its own, with its board. */
  const hidden = new Map<OpenCommand, string>();
  const stopHearing = guard?.onChange(recheck);
  /** Of those that are sampled. */
  const spans = new Map<OpenCommand, CommandSpan>();

  const underWay: UnderWay = {
    get dueAt() {
      const [oldest] = asked.values();
      return oldest?.dueAt ?? Number.POSITIVE_INFINITY;
    },
    overdue() {
      const now = clock.now();
      for (const [command, { dueAt, requestId }] of [...asked]) {
        if (dueAt > now) break;
        if (command.subject !== "") sides().at(command.side)?.abandon(command.subject, requestId);
        fail(command, notKept());
      }
      if (asked.size > 0) calls.add(underWay);
    },
    sendAway(error) {
      for (const command of [...asked.keys()]) fail(command, error);
    },
  };

  function answerNow(id: CommandId, status: Extract<Answer, { case: "failed" }>["value"]): void {
    outbox.answer(id, { case: "failed", value: status }, undefined);
  }

  function refuse(id: CommandId, error: WireError): void {
    onRefused?.(error);
    answerNow(id, statusToWire(error));
  }

  function submit(one: OpenCommand, command: SessionCommand["command"]): void {
    if (isStopping() && NEW.has(command.case)) {
      fail(one, draining());
      return;
    }
    const { limiters, boards, touch } = sides();
    if (command.case !== "release" || isOfSession(command.value)) touch(one.side);
    switch (command.case) {
      case "acquire":
        limiters.acquire(one, command.value);
        return;
      case "tryAcquire":
        limiters.tryAcquire(one, command.value);
        return;
      case "release":
        limiters.release(one, command.value);
        return;
      case "renew":
        renew(one);
        return;
      case "pull":
        boards().pull(one, command.value);
        return;
      case "tryPull":
        boards().tryPull(one, command.value);
        return;
      case "finish":
        boards().finish(one, command.value);
        return;
      case "giveBack":
        boards().giveBack(one, command.value);
        return;
      case "sendBack":
        boards().sendBack(one, command.value);
        return;
    }
  }

  /** What waits and is allowed no longer leaves its queue. What is held may be held on, and given back. */
  function recheck(): void {
    for (const command of commands.waiting()) {
      if (command.pull !== undefined) {
        withdraw(command, guard?.refusalOfPull(call.caller, command.pull.board));
        continue;
      }
      // What it claims is known where it waits.
      sides()
        .limiters.claimsOf(command.subject)
        .then((claims) => withdraw(command, claims && guard?.refusalOfClaims(call.caller, claims)), LEFT_OUT);
    }
  }

  function withdraw(command: OpenCommand, no: WireError | undefined): void {
    if (no !== undefined && command.phase === "waiting") giveUp(command, "cancelled", no);
  }

  function renew(one: OpenCommand): void {
    sides().renew(
      (validFor) =>
        close(one, { case: "renewed", value: create(SessionRenewedSchema, { validFor: optionalDuration(validFor) }) }),
      (error) => fail(one, failureOf(error)),
    );
  }

  function cancel(id: CommandId): void {
    const command = commands.get(id);
    if (command === undefined || command.subject === "") return;
    if (command.phase === "waiting") giveUp(command, "cancelled", cancelled());
    else if (command.phase === "asked") command.phase = "unwanted";
  }

  /** Fails a command that waits, unless something else was decided of it, which is then its answer: a grant may yet have to be kept. */
  function giveUp(command: OpenCommand, how: StreamEnd, error: WireError): void {
    command.phase = "leaving";
    sides()
      .at(command.side)
      ?.leaveQueue(command.subject, how, () => fail(command, error));
  }

  /** The engine has said the first word of it. */
  function heardOf(command: OpenCommand): void {
    if (asked.delete(command) && asked.size === 0) calls.remove(underWay);
  }

  function close(command: OpenCommand, answer: Answer): SessionAnswer | undefined {
    if (command.phase === "over") return undefined;
    heardOf(command);
    commands.close(command);
    if (hidden.size > 0) hidden.delete(command);
    if (spans.size > 0) endSpan(command, outcomeOfAnswer(answer));
    return outbox.answer(command.id, answer, command);
  }

  function fail(command: OpenCommand, error: WireError): void {
    onRefused?.(error);
    if (spans.size > 0) endSpan(command, { error });
    const board = hidden.size > 0 ? hidden.get(command) : undefined;
    close(command, { case: "failed", value: statusToWire(board === undefined ? error : hide(board, error)) });
  }

  function endSpan(command: OpenCommand, outcome: Outcome): void {
    spans.get(command)?.end(outcome);
    spans.delete(command);
  }

  return {
    carryOut(message) {
      const { id: said, command } = message;
      const id = commandIdOf(said);
      if (commands.get(id) !== undefined) return IN_USE;
      const tooOften = quotas?.refusalOfRequest(call.caller, GIVES_BACK.has(command.case) ? "gives-back" : "asks");
      if (tooOften !== undefined) {
        refuse(id, refusalError(tooOften));
        return undefined;
      }
      const violations = checkCommand(command);
      if (violations.length > 0) {
        answerNow(id, statusToWire(invalidRequest(violations)));
        return undefined;
      }
      if (command.case === "cancel") {
        cancel(commandIdOf(command.value.commandId));
        answerNow(id, OK);
        return undefined;
      }
      const no = guard?.refusalOf(call.caller, command, call.peer);
      if (no !== undefined) {
        answerNow(id, statusToWire(no));
        return undefined;
      }
      const bound = maxCommands();
      if (commands.size >= bound) {
        refuse(id, tooManyCommands(bound));
        return undefined;
      }
      const one = openCommandOf(id, command);
      const board = guard?.boardToHide(call.caller, command);
      if (board !== undefined) hidden.set(one, board);
      const span = traces?.begin(message, call);
      if (span !== undefined) spans.set(one, span);
      try {
        submit(one, command);
      } catch (thrown) {
        // What the rules of the contract cannot say.
        if (!(thrown instanceof WireError)) throw thrown;
        fail(one, thrown);
      }
      // Most have their last answer by now.
      if (one.phase !== "over") commands.add(one);
      if (one.phase === "asked") {
        asked.set(one, { dueAt: calls.dueAt(undefined), requestId: requestIdOf(command) });
        if (asked.size === 1) calls.add(underWay);
      }
      return undefined;
    },
    at: commands.at,
    traceOf: (command) => (spans.size === 0 ? undefined : spans.get(command)?.trace),
    asks: commands.asks,
    waits(command, subject) {
      const isUnwanted = command.phase === "unwanted";
      const before = commands.waits(command, subject);
      heardOf(command);
      if (before !== undefined && before !== command) fail(before, refusalError(refusal("WAITER_DISPLACED")));
      if (isUnwanted) giveUp(command, "cancelled", cancelled());
      else if (isStopping()) giveUp(command, "cancelled", draining());
      return command.phase === "waiting";
    },
    close,
    fail,
    drain(waiterLeaves) {
      for (const command of commands.waiting()) {
        giveUp(command, command.side === "boards" ? "cancelled" : waiterLeaves, draining());
      }
    },
    stop() {
      calls.remove(underWay);
      stopHearing?.();
      for (const span of spans.values()) span.end({ code: Code.Canceled });
      spans.clear();
    },
  };
}

/** An engine that is out of reach ends the session by itself. */
const LEFT_OUT = () => {};
const IN_USE: FieldViolation = {
  field: "commands.id",
  description: "names a command that has no last answer yet; ids are unique among those",
  reason: "session_command.id",
};
/** Whether it names a lease of the session, and no lease or request of another. */
function isOfSession({ secret, requestId }: ReleaseRequest): boolean {
  return secret === "" && requestId === "";
}

/** What keeps what its caller has, or gives it back. */
const GIVES_BACK: ReadonlySet<string | undefined> = new Set([
  ...["release", "renew", "finish", "giveBack", "sendBack", "cancel"],
]);

/** What takes something new. */
const NEW: ReadonlySet<string | undefined> = new Set(["acquire", "tryAcquire", "pull", "tryPull"]);
