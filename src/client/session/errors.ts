/** What ends commands and streams of a session, as a transport throws it. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { Reason } from "../api/reasons.ts";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import { DOMAIN } from "../wire/error.ts";

/** Thrown for what was not decided, and has to go without a session. */
export const ELSEWHERE = new Error("this session does not carry the call");

/** Returns the error with which the call would have ended that a command stands for. */
export function errorOfStatus({ code, message, details }: Status): ConnectError {
  const error = new ConnectError(message, code as Code);
  error.details = details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  return error;
}

/** Returns the error of the service with this reason. */
export function errorOfReason(reason: Reason, code: Code, message: string): ConnectError {
  return new ConnectError(message, code, undefined, [{ desc: ErrorInfoSchema, value: { domain: DOMAIN, reason } }]);
}

/** Returns the reason of the service in an error; undefined: it has none, and comes from what lies between. */
export function reasonIn(error: unknown): string | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN)?.reason;
}

/** Returns the error of a call whose caller wants it no more. */
export function aborted(signal: AbortSignal): ConnectError {
  return new ConnectError(String(signal.reason), Code.Canceled);
}
