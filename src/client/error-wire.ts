/** What a transport throws, as the errors that the client promises: the only file of the client that knows Connect codes. */

import { Code, ConnectError } from "@connectrpc/connect";
import { AdmissionError, ServerError, ServerUnavailableError, type StatusCode, type Violation } from "./errors.ts";
import {
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.ts";
import { reasonFromName } from "./reason-wire.ts";
import type { Reason } from "./reasons.ts";
import { durationToMs } from "./time-wire.ts";

const DOMAIN = "ggen.backpressure";

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

/** The client's error for whatever a call threw; `address` is where it was sent. */
export function toClientError(thrown: unknown, address: string): Error {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  if (info !== undefined) return admissionError(error, info);
  // Node's own errors (no TLS there, HTTP/1 there, a broken pipe) come as INTERNAL with a cause; the server's has none.
  const fromNode = error.code === Code.Internal && error.cause !== undefined;
  if (fromNode || CONNECTION_CODES.has(error.code)) {
    return new ServerUnavailableError(address, error.rawMessage, error);
  }
  const hint = error.code === Code.Unimplemented ? `; does ${address} serve this version of ggen.backpressure.v1?` : "";
  return new ServerError(`the server failed: ${error.rawMessage}${hint}`, CODES[error.code], error);
}

function admissionError(error: ConnectError, info: ErrorInfo): AdmissionError {
  const [retry] = error.findDetails(RetryInfoSchema);
  const reason: Reason = reasonFromName(info.reason);
  return new AdmissionError(error.rawMessage, {
    reason,
    code: CODES[error.code],
    retryAfterMs: retry?.retryDelay && durationToMs(retry.retryDelay),
    limiter: info.metadata.limiter,
    key: info.metadata.key,
    board: info.metadata.board,
    stage: info.metadata.stage,
    card: info.metadata.card,
    violations: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations.map(toViolation)),
    cause: error,
  });
}

function toViolation(wire: {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
}): Violation {
  return { field: wire.field, description: wire.description, rule: wire.reason };
}
