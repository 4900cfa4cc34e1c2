/** A refusal of the machine as the error that the remote client would throw. */

import { ConnectError } from "@connectrpc/connect";
import { toClientError } from "../client/error-wire.ts";
import type { Refusal } from "../server/machine/reasons.ts";
import { refusalError } from "../server/wire/error-wire.ts";

export function refusalToError(no: Refusal): Error {
  const { message, code, details } = refusalError(no);
  return toClientError(new ConnectError(message, code, undefined, [...details]), "this process");
}
