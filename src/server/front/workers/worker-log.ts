/** The log of a thread that carries connections: its lines are written by the main thread, so that none is torn by another. */

import type { Log, LogFields } from "../../log.ts";
import type { LogLine } from "./messages.ts";

/** `isDebugging`: what the main thread said last. */
export function createWorkerLog(post: (line: LogLine) => void, isDebugging: () => boolean): Log {
  const write = (level: LogLine["level"]) => (fields: LogFields, message: string) =>
    post({ kind: "log", level, fields: plain(fields), message });
  const debug = write("debug");
  return {
    get isDebugging() {
      return isDebugging();
    },
    debug(fields, message) {
      if (isDebugging()) debug(fields, message);
    },
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    setLevel() {
      throw new Error("the level of the log is the main thread's");
    },
  };
}

/** What crosses to another thread. An error loses its own fields on the way, such as its code, so it becomes an object of them. */
function plain(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? plainError(value) : value]),
  );
}

function plainError(error: Error): LogFields {
  const { message, stack, cause } = error;
  const own = Object.entries(error).filter(([, value]) => typeof value !== "object" && typeof value !== "function");
  return {
    ...Object.fromEntries(own),
    type: error.constructor.name,
    message,
    stack,
    ...(cause instanceof Error && { cause: plainError(cause) }),
  };
}
