/** The commands of a session that are on their way or wait, and what becomes of each. */

import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type SessionAnswer,
  type SessionCommand,
  SessionCommandSchema,
} from "../gen/ggen/backpressure/v1/session_service_pb.ts";
import { ELSEWHERE, errorOfStatus, reasonIn } from "./errors.ts";
import { weightOf } from "./weight.ts";

export type Command = Exclude<SessionCommand["command"], { case: undefined }>;
export type Answer = Exclude<SessionAnswer["answer"], { case: undefined }>;

export interface Asker {
  /** Called with each answer but a failure. */
  onAnswer(answer: Answer): void;
  /** The server has refused it, or nothing is known of it; with `ELSEWHERE` it was not decided. */
  onFailed(error: Error): void;
}

/** The trace of the call that a command stands for. */
export type CommandTrace = Pick<SessionCommand, "traceparent" | "tracestate">;

interface Open {
  readonly command: Command;
  readonly message: SessionCommand;
  /** Undefined: its asker has gone. */
  asker: Asker | undefined;
  isSent: boolean;
}

export interface Commands {
  /** How many have no last answer. */
  readonly open: number;
  /** Returns its id. */
  add(command: Command, asker: Asker, trace?: CommandTrace): bigint;
  /** Returns the next to send: as many as a message may have, and has room for. */
  take(): SessionCommand[];
  /** Whether any is to be sent. */
  readonly hasUnsent: boolean;
  /** Its asker has gone. Returns whether the server may have it. */
  forget(id: bigint): boolean;
  answer(answer: SessionAnswer): void;
  /** None will be answered any more. */
  failAll(error: Error): void;
  /** None was decided: all are to be sent again, in their order. */
  sendAgain(): void;
}

/** The most commands in one message, and about their bytes: half of what a server takes, unless it is told otherwise. */
const MOST_COMMANDS = 1000;
const MOST_BYTES = 1 << 19;

/** `onUnclaimed` is called with the last answer of a command whose asker has gone. */
export function createCommands(onUnclaimed: (answer: Answer, command: Command) => void): Commands {
  const open = new Map<bigint, Open>();
  let unsent: Open[] = [];
  let lastId = 0n;

  function answerOne({ asker, command }: Open, answer: Answer): void {
    if (answer.case !== "failed") {
      if (asker === undefined) onUnclaimed(answer, command);
      else asker.onAnswer(answer);
    } else if (answer.value.code === 0) {
      asker?.onAnswer(answer);
    } else {
      const error = errorOfStatus(answer.value);
      asker?.onFailed(reasonIn(error) === "TOO_MANY_COMMANDS" ? ELSEWHERE : error);
    }
  }

  return {
    get open() {
      return open.size;
    },
    add(command, asker, trace) {
      lastId += 1n;
      const message = create(SessionCommandSchema, { id: lastId, command, ...trace });
      const added = { command, message, asker, isSent: false };
      open.set(lastId, added);
      unsent.push(added);
      return lastId;
    },
    take() {
      const taken: SessionCommand[] = [];
      let count = 0;
      let bytes = 0;
      for (const one of unsent) {
        if (one.asker !== undefined) {
          bytes += weightOf(one.command) + one.message.tracestate.length;
          if (taken.length === MOST_COMMANDS || (bytes > MOST_BYTES && taken.length > 0)) break;
          one.isSent = true;
          taken.push(one.message);
        }
        count += 1;
      }
      unsent.splice(0, count);
      return taken;
    },
    get hasUnsent() {
      return unsent.length > 0;
    },
    forget(id) {
      const command = open.get(id);
      if (command === undefined) return false;
      command.asker = undefined;
      if (!command.isSent) open.delete(id);
      return command.isSent;
    },
    answer({ id, answer }) {
      const command = open.get(id);
      if (command === undefined) return;
      if (answer.case === "waiting" || answer.case === "pullWaiting") {
        command.asker?.onAnswer(answer);
        return;
      }
      open.delete(id);
      // An answer that only a newer client knows.
      if (answer.case === undefined) command.asker?.onFailed(new ConnectError("the answer is unknown", Code.Internal));
      else answerOne(command, answer);
    },
    failAll(error) {
      const failed = [...open.values()];
      open.clear();
      unsent = [];
      for (const { asker } of failed) asker?.onFailed(error);
    },
    sendAgain() {
      unsent = [];
      for (const [id, command] of open) {
        command.isSent = false;
        if (command.asker === undefined) open.delete(id);
        else unsent.push(command);
      }
    },
  };
}
