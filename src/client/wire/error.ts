/** What a transport throws, as the errors that the client promises: the only file of the client that knows Connect codes. */

import { Code, ConnectError } from "@connectrpc/connect";
import {
  AdmissionError,
  type AdmissionErrorInit,
  PermissionDeniedError,
  ServerError,
  ServerUnavailableError,
  type StatusCode,
  UnauthenticatedError,
  type Violation,
} from "../api/errors.ts";
import type { Reason } from "../api/reasons.ts";
import {
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.ts";
import { isNetworkFailure } from "./network-failure.ts";
import { reasonFromName } from "./reason.ts";
import { durationToMs } from "./time.ts";

/** The domain of the service in `ErrorInfo`. */
export const DOMAIN = "ggen.backpressure";

const CODES: Record<Code, StatusCode> = {
  [Code.Canceled]: "CANCELLED",
  [Code.Unknown]: "UNKNOWN",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "RESOURCE_EXHAUSTED",
  [Code.FailedPrecondition]: "FAILED_PRECONDITION",
  [Code.Aborted]: "ABORTED",
  [Code.OutOfRange]: "OUT_OF_RANGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "DATA_LOSS",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** Codes that, without a reason of the service, say that the connection failed: proxies and transports choose among them. */
const CONNECTION_CODES: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Unknown,
  Code.Canceled,
  Code.Aborted,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
]);

/** Codes that a transport gives to errors of others, which it keeps as the cause; an error that the server sent has none. */
const FOREIGN_CODES: ReadonlySet<Code> = new Set([Code.Unknown, Code.Internal]);

/**
 * Returns the client's error for whatever a call threw; `address` is where the call was sent. Only what the transport or
 * the server calls unavailable is a `ServerUnavailableError`. An error of the program (in an interceptor, in a runtime that
 * lacks a function) comes out as it was thrown, so that a caller that fails open does not take it for an outage.
 * `adviceOf`: what to do about a connection that failed in a way that is known.
 */
export function toClientError(
  thrown: unknown,
  address: string,
  adviceOf?: (thrown: unknown) => string | undefined,
): Error {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  if (info !== undefined) return admissionError(error, info);
  const isForeign = error.cause instanceof Error && FOREIGN_CODES.has(error.code);
  const isNetwork = isForeign && isNetworkFailure(error.cause);
  if (isForeign && !isNetwork) return error.cause as Error;
  if (isNetwork || isCutOff(error) || CONNECTION_CODES.has(error.code)) {
    return new ServerUnavailableError(address, error.rawMessage, { cause: error, advice: adviceOf?.(error) });
  }
  if (error.code === Code.Unauthenticated) return unauthenticated(error, undefined);
  const hint = error.code === Code.Unimplemented ? `; does ${address} serve this version of ggen.backpressure.v1?` : "";
  return new ServerError(`the server failed: ${error.rawMessage}${hint}`, CODES[error.code], error);
}

/**
 * Returns whether an answer ended before its last word, which each protocol has. A proxy does that when its own time is over:
 * to the transport it looks like a server that breaks the protocol, and it is a connection that was lost.
 */
function isCutOff({ rawMessage }: ConnectError): boolean {
  const [, promised, received] = PROMISED_BYTES.exec(rawMessage) ?? [];
  return MISSING_LAST_WORD.test(rawMessage) || Number(received) < Number(promised);
}

/** As connect-es words it; in a browser it throws these as bare text, which is an unknown error. */
const MISSING_LAST_WORD = /^protocol error: missing (status|trailer|EndStreamResponse)$/;
const PROMISED_BYTES = /^protocol error: promised (\d+) bytes, received (\d+)$/;

function admissionError(error: ConnectError, info: ErrorInfo): AdmissionError {
  if (error.code === Code.Unauthenticated) return unauthenticated(error, info);
  if (info.reason === NOT_ALLOWED) return new PermissionDeniedError(error.rawMessage, initOf(error, info));
  return new AdmissionError(error.rawMessage, initOf(error, info));
}

/** The reason of what the caller may not do. The others of PERMISSION_DENIED are about a lease or a card, not about callers. */
const NOT_ALLOWED = "NOT_ALLOWED";

/** `info`: undefined where a proxy says so. */
function unauthenticated(error: ConnectError, info: ErrorInfo | undefined): UnauthenticatedError {
  return new UnauthenticatedError(error.rawMessage, initOf(error, info));
}

function initOf(error: ConnectError, info: ErrorInfo | undefined): AdmissionErrorInit {
  const [retry] = error.findDetails(RetryInfoSchema);
  const reason: Reason = reasonFromName(info?.reason ?? "");
  const { limiter, key, board, stage, card } = info?.metadata ?? {};
  return {
    reason,
    code: CODES[error.code],
    retryAfterMs: retry?.retryDelay && durationToMs(retry.retryDelay),
    limiter,
    key,
    board,
    stage,
    card,
    violations: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations.map(toViolation)),
    cause: error,
  };
}

function toViolation(wire: {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
}): Violation {
  return { field: wire.field, description: wire.description, rule: wire.reason };
}
