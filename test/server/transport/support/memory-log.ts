/** A log that tests read. */

import { inspect } from "node:util";
import type { Log, LogFields } from "../../../../src/server/log.ts";
import { search } from "../../../support/secrets/leaks.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

export interface MemoryLog extends Log {
  readonly lines: readonly LogLine[];
  /** The lines of one level. */
  at(level: LogLine["level"]): readonly LogLine[];
}

export function createMemoryLog(): MemoryLog {
  const lines: LogLine[] = [];
  const write = (level: LogLine["level"]) => (fields: LogFields, message: string) => {
    lines.push({ level, fields, message });
    search("the log of a server in the tests' own process", textOf({ fields, message }));
  };
  return {
    isDebugging: true,
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    setLevel: () => {},
    lines,
    at: (level) => lines.filter((line) => line.level === level),
  };
}

/** With what JSON leaves out of errors and numbers. What goes round in circles is shown some levels deep. */
function textOf(line: Pick<LogLine, "fields" | "message">): string {
  try {
    return JSON.stringify(line, (_, value: unknown) => {
      if (value instanceof Error) return { ...value, message: value.message, stack: value.stack, cause: value.cause };
      return typeof value === "bigint" ? String(value) : value;
    });
  } catch {
    return inspect(line, { depth: 6 });
  }
}
