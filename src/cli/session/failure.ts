/** What went wrong, in words for people and for scripts, and the exit code that says so. */

import { CommanderError } from "commander";
import {
  AdmissionError,
  LeaseLostError,
  ServerError,
  ServerUnavailableError,
  type StatusCode,
  type Violation,
  WorkLostError,
} from "../../client/api/errors.ts";
import type { Reason } from "../../client/api/reasons.ts";
import { TlsFileError } from "../../client/transport/tls-connection.ts";
import { formatRoughly } from "../../text/duration.ts";
import { EXIT } from "./exit-codes.ts";
import { exitCodeOf, Interrupted } from "./signals.ts";
import type { Terminal } from "./terminal.ts";

export interface Failure {
  readonly exitCode: number;
  /** The contract's name for it, or one of `OWN_REASONS`. */
  readonly reason: string;
  readonly message: string;
  /** ms after which the same may succeed. */
  readonly retryAfterMs?: number | undefined;
  readonly violations?: readonly Violation[];
}

/** The command line is wrong in a way that no option's parser can see. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Returns the failure for what a command threw. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof AdmissionError) {
    const { reason, code, message, retryAfterMs, violations } = thrown;
    const exitCode = EXIT_OF_REASON[reason] ?? EXIT_OF_CODE[code] ?? EXIT.failed;
    return { exitCode, reason, message, retryAfterMs, violations };
  }
  if (thrown instanceof ServerUnavailableError) return unreachable(thrown);
  if (thrown instanceof ServerError) return { exitCode: EXIT.failed, reason: thrown.code, message: thrown.message };
  if (thrown instanceof LeaseLostError || thrown instanceof WorkLostError) {
    return { exitCode: EXIT.lost, reason: thrown.reason, message: thrown.message };
  }
  if (thrown instanceof CommanderError) {
    // Commander's own code for anything wrong is 1; a command may have one of its own.
    const exitCode = thrown.exitCode === 1 ? EXIT.usage : thrown.exitCode;
    return { exitCode, reason: "USAGE", message: thrown.message.replace(/^error: /, "") };
  }
  if (thrown instanceof UsageError || thrown instanceof TlsFileError) {
    return { exitCode: EXIT.usage, reason: "USAGE", message: thrown.message };
  }
  if (thrown instanceof Interrupted) {
    return { exitCode: exitCodeOf(thrown.signal), reason: "INTERRUPTED", message: thrown.message };
  }
  const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return { exitCode: EXIT.failed, reason: "BUG", message: `this is a bug: ${message}` };
}

/** Writes it to standard error. */
export function reportFailure(failure: Failure, terminal: Terminal, json: boolean): void {
  const { reason, message, retryAfterMs, violations = [] } = failure;
  if (json) {
    const details = violations.length > 0 ? { violations } : {};
    terminal.warn(JSON.stringify({ error: { reason, message, retryAfterMs, ...details } }));
    return;
  }
  const [first = "", ...others] = message.split("\n");
  const label = OWN_REASONS.has(reason) ? "" : ` (${reason})`;
  terminal.warn(`backpressure: ${first}${label}${retryWords(retryAfterMs)}`);
  for (const line of others) terminal.warn(line);
  // A single one is in the message already.
  if (violations.length > 1)
    for (const { field, description } of violations) terminal.warn(`  ${field}: ${description}`);
}

/** `; try again in 250ms`, where a time is known. */
export function retryWords(retryAfterMs: number | undefined): string {
  return retryAfterMs === undefined ? "" : `; try again in ${formatRoughly(retryAfterMs)}`;
}

/** This program's own reasons, which are not shown to people: the message says as much. */
const OWN_REASONS: ReadonlySet<string> = new Set(["USAGE", "SERVER_UNAVAILABLE", "INTERRUPTED", "BUG"]);

/** By status code, so that a reason which only a newer server knows has one too. */
const EXIT_OF_CODE: Partial<Record<StatusCode, number>> = {
  NOT_FOUND: EXIT.notFound,
  FAILED_PRECONDITION: EXIT.conflict,
  ALREADY_EXISTS: EXIT.conflict,
  PERMISSION_DENIED: EXIT.conflict,
  UNAUTHENTICATED: EXIT.conflict,
  INVALID_ARGUMENT: EXIT.usage,
  RESOURCE_EXHAUSTED: EXIT.refused,
  DEADLINE_EXCEEDED: EXIT.refused,
  UNAVAILABLE: EXIT.unreachable,
  ABORTED: EXIT.lost,
};

/** Reasons of ABORTED under which nothing was held. */
const EXIT_OF_REASON: Partial<Record<Reason, number>> = {
  ETAG_MISMATCH: EXIT.conflict,
  WAITER_CANCELLED: EXIT.refused,
  WAITER_DISPLACED: EXIT.refused,
};

/** Node's error codes in words. */
const NODE_WORDS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ECONNRESET", "the connection was reset"],
  ["EPIPE", "the connection was closed"],
  ["ENOTFOUND", "there is no such host"],
  ["EAI_AGAIN", "its name cannot be looked up now"],
  ["ETIMEDOUT", "connection timed out"],
  ["EHOSTUNREACH", "there is no route to it"],
  ["ENETUNREACH", "there is no route to its network"],
]);

function unreachable({ address, detail: said, cause, advice: todo }: ServerUnavailableError): Failure {
  const detail = cause === undefined ? said : causeWords(cause);
  const advice =
    todo === undefined
      ? "Is the server running? Start one with `backpressure serve`, or name another with --address."
      : `${todo.charAt(0).toUpperCase()}${todo.slice(1)}.`;
  return {
    exitCode: EXIT.unreachable,
    reason: "SERVER_UNAVAILABLE",
    message: `cannot reach ${address}: ${detail}. ${advice}`,
  };
}

/** Returns why a connection failed: the innermost cause that Node has a code for, or else the outermost message. */
function causeWords(thrown: unknown): string {
  for (let cause = thrown; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const words = typeof code === "string" ? NODE_WORDS.get(code) : undefined;
    if (words !== undefined) return words;
  }
  if (!(thrown instanceof Error)) return "it does not answer";
  const { rawMessage } = thrown as { rawMessage?: string };
  return rawMessage ?? thrown.message;
}
