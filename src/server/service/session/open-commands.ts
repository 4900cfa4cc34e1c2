/** The commands of a session that have no last answer yet. */

import type { SessionAnswer, SessionCommand } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import { hash } from "../../machine/structures/hash.ts";
import { ObjectTable } from "../../machine/structures/object-table.ts";
import { hashOfId } from "./id-hash.ts";

/** Which of a session's engines decides it. */
export type Side = "limiters" | "boards";

/** A command's id: a number where it is exact as one, which takes no memory of its own. */
export type CommandId = number | bigint;

export interface OpenCommand {
  readonly id: CommandId;
  readonly side: Side;
  /**
   * `asked`: the engine has not answered yet. `unwanted`: nor has it then, and if it waits its client wants it no more. `leaving`: it
   * waits no more, unless something else was decided before.
   */
  phase: "asked" | "unwanted" | "waiting" | "leaving" | "over";
  /** The id that it was asked under; then that of the place in which it waits. Empty: it takes nothing. */
  subject: string;
  /** Undefined: it is no pull. */
  pull: Pull | undefined;
  /** See `Placed`. */
  place: SessionAnswer | undefined;
}

export interface Pull {
  readonly board: string;
  /** It does not wait, so that it hears of no place. */
  readonly immediate: boolean;
}

export interface OpenCommands {
  readonly size: number;
  get(id: CommandId): OpenCommand | undefined;
  /** The command that waits in a place, or was asked under this id. */
  at(subject: string): OpenCommand | undefined;
  add(command: OpenCommand): void;
  /** It is asked under this id: the engine may say that it is refused before it says that it waits. */
  asks(command: OpenCommand, subject: string): void;
  /** It waits, in the place of this id. Returns the command that has waited there. */
  waits(command: OpenCommand, subject: string): OpenCommand | undefined;
  /** It has its last answer. */
  close(command: OpenCommand): void;
  waiting(): readonly OpenCommand[];
}

export function createOpenCommands(): OpenCommands {
  const byId = new ObjectTable<OpenCommand, CommandId>({ keyOf: ({ id }) => id, hash: hashOfId });
  const bySubject = new ObjectTable<OpenCommand, string>({ keyOf: ({ subject }) => subject, hash });
  return {
    get size() {
      return byId.size;
    },
    get: (id) => byId.get(id),
    at: (subject) => bySubject.get(subject),
    add: (command) => byId.add(command),
    asks(command, subject) {
      command.subject = subject;
      bySubject.add(command);
    },
    waits(command, subject) {
      const before = bySubject.get(subject);
      bySubject.delete(command);
      command.phase = "waiting";
      command.subject = subject;
      bySubject.add(command);
      return before;
    },
    close(command) {
      bySubject.delete(command);
      command.phase = "over";
      byId.delete(command);
    },
    waiting: () => [...bySubject.values()].filter(({ phase }) => phase === "waiting"),
  };
}

export function commandIdOf(id: bigint): CommandId {
  return id <= LARGEST_NUMBER ? Number(id) : id;
}

const LARGEST_NUMBER = BigInt(Number.MAX_SAFE_INTEGER);
const BOARD_COMMANDS: ReadonlySet<string | undefined> = new Set(["pull", "tryPull", "finish", "giveBack", "sendBack"]);

/** Ten thousand of a session may wait: a field is 8 bytes of each. */
export function openCommandOf(id: CommandId, { case: name }: SessionCommand["command"]): OpenCommand {
  const side = BOARD_COMMANDS.has(name) ? "boards" : "limiters";
  return { id, side, phase: "asked", subject: "", pull: undefined, place: undefined };
}

/** The request id that the command was asked under; empty: it has none. */
export function requestIdOf(command: SessionCommand["command"]): string {
  switch (command.case) {
    case "acquire":
    case "tryAcquire":
    case "pull":
    case "tryPull":
      return command.value.requestId;
    default:
      return "";
  }
}
