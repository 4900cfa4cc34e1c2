/** What the server writes to standard error: one JSON object a line, or on a terminal lines to read. The only file that knows the logger. */

import { writeSync } from "node:fs";
import { destination, type Logger, pino } from "pino";
import { readableLine } from "./log-line.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  /** Whether `debug` writes anything: what is logged for each call asks first. */
  readonly isDebugging: boolean;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  setLevel(level: LogLevel): void;
}

/** Fields that no line shows, wherever they come from: an error has what its library has put into it. */
const SECRETS = ["authorization", "secret", "token", "cookie", "password"];
const SECRET_PATHS = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export function createLog(level: LogLevel, { isTerminal = false } = {}): Log {
  // Written in place, not buffered: the last words before a crash are those that matter.
  const output = isTerminal ? { write: writeReadable } : destination({ fd: 2, sync: true });
  const logger: Logger = pino(
    { level, base: undefined, redact: { paths: SECRET_PATHS, censor: "[redacted]" } },
    output,
  );
  return {
    get isDebugging() {
      return logger.isLevelEnabled("debug");
    },
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    setLevel: (next) => {
      logger.level = next;
    },
  };
}

function writeReadable(json: string): void {
  try {
    writeSync(2, readableLine(json));
  } catch {
    // A terminal that is gone must not end the server.
  }
}
