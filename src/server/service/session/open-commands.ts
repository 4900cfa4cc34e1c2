/** The commands of a session that have no last answer yet. */

import type { SessionAnswer, SessionCommand } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";

/** Which of a session's engines decides it. */
export type Side = "limiters" | "boards";

export interface OpenCommand {
  readonly id: bigint;
  readonly side: Side;
  /** `asked`: the engine has not answered yet. */
  phase: "asked" | "waiting" | "over";
  /** The id that it was asked under; then that of the place in which it waits. Empty: it takes nothing. */
  subject: string;
  readonly requestId: string;
  /** µs: when it is answered without the engine; meaningful while it is asked. */
  dueAt: number;
  /** Its client wants it no more, as soon as it is known to wait. */
  cancelled: boolean;
  /** Of a pull: where, and whether it does not wait, so that it hears of no place. */
  board: string;
  immediate: boolean;
  /** See `Placed`. */
  place: SessionAnswer | undefined;
}

export interface OpenCommands {
  readonly size: number;
  get(id: bigint): OpenCommand | undefined;
  /** The command that waits in a place. */
  at(subject: string): OpenCommand | undefined;
  add(command: OpenCommand): void;
  /** It waits, in the place of this id. Returns the command that has waited there. */
  waits(command: OpenCommand, subject: string): OpenCommand | undefined;
  /** It has its last answer. */
  close(command: OpenCommand): void;
  waiting(): readonly OpenCommand[];
}

export function createOpenCommands(): OpenCommands {
  const byId = new Map<bigint, OpenCommand>();
  const bySubject = new Map<string, OpenCommand>();
  return {
    get size() {
      return byId.size;
    },
    get: (id) => byId.get(id),
    at: (subject) => bySubject.get(subject),
    add(command) {
      byId.set(command.id, command);
    },
    waits(command, subject) {
      const before = bySubject.get(subject);
      command.phase = "waiting";
      command.subject = subject;
      bySubject.set(subject, command);
      return before;
    },
    close(command) {
      if (command.phase === "waiting" && bySubject.get(command.subject) === command) bySubject.delete(command.subject);
      command.phase = "over";
      byId.delete(command.id);
    },
    waiting: () => [...bySubject.values()],
  };
}

const BOARD_COMMANDS: ReadonlySet<string | undefined> = new Set(["pull", "tryPull", "finish", "giveBack", "sendBack"]);

export function openCommandOf(id: bigint, command: SessionCommand["command"]): OpenCommand {
  return {
    id,
    side: BOARD_COMMANDS.has(command.case) ? "boards" : "limiters",
    phase: "asked",
    subject: "",
    requestId: requestIdOf(command),
    dueAt: 0,
    cancelled: false,
    board: "",
    immediate: false,
    place: undefined,
  };
}

function requestIdOf(command: SessionCommand["command"]): string {
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
