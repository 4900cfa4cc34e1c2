/** Why a call has failed, for people. */

import { Code, ConnectError } from "@connectrpc/connect";

/** Returns the server's own words, or what is known of a call that it has not answered. */
export function failureText(error: unknown): string {
  // What was typed cannot be sent.
  if (error instanceof RangeError) return error.message;
  const failure = ConnectError.from(error);
  // Not sent, or not answered: the browser's words for that say nothing.
  if (failure.cause instanceof TypeError || failure.code === Code.Unknown) return "The server cannot be reached.";
  return failure.rawMessage;
}

/** Whether the server knows the caller no more. */
export function isUnauthenticated(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}

export function isNotFound(error: unknown): boolean {
  return ConnectError.from(error).code === Code.NotFound;
}
