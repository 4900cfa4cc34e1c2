/** Errors as connect-node sends them. */

import { ConnectError } from "@connectrpc/connect";
import type { WireError } from "../wire/error-wire.ts";

export function connectErrorOf(error: WireError): ConnectError {
  return new ConnectError(error.message.toWellFormed(), error.code, undefined, [...error.details]);
}
