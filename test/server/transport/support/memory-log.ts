/** A log that tests read. */

import type { Log, LogFields } from "../../../../src/server/log.ts";

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
