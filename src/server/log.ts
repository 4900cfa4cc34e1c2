/** What the server writes to standard error: one JSON object a line, or lines to read. The only file that knows the logger. */

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

export interface LogFormat {
  /** Lines to read, rather than JSON. */
  readonly isReadable?: boolean;
  readonly isTerminal?: boolean;
}

export function createLog(level: LogLevel, { isReadable = false, isTerminal = false }: LogFormat = {}): Log {
  // Written in place, not buffered: the last words before a crash are those that matter.
  const output = isReadable && isTerminal ? { write: writeReadable } : toFile(isReadable);
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

function toFile(isReadable: boolean): { write(json: string): void } {
  const file = destination({ fd: 2, sync: true });
  return isReadable ? { write: (json) => void file.write(readableLine(json)) } : file;
}

function writeReadable(json: string): void {
  try {
    writeSync(2, readableLine(json));
  } catch {
    // A terminal that is gone must not end the server.
  }
}
