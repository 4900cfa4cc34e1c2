/** Errors as connect-node sends them. */

import { ConnectError } from "@connectrpc/connect";
import type { WireError } from "../../wire/error-wire.ts";
import { PUSHBACK_KEY, pushbackOf } from "../rpc/pushback.ts";

/** `protocol`: the name that connect-node has for the caller's, `connect`, `grpc-web` or `grpc`. */
export function connectErrorOf(error: WireError, protocol: string): ConnectError {
  const headers = retryHeaders(error, protocol);
  return new ConnectError(error.message.toWellFormed(), error.code, headers, [...error.details]);
}

/** Says to whatever sends calls again by itself when to do so: in trailers for gRPC, in HTTP's own header for Connect. */
function retryHeaders({ retry }: WireError, protocol: string): Record<string, string> {
  if (retry === undefined) return {};
  if (protocol !== "connect") return { [PUSHBACK_KEY]: pushbackOf(retry) };
  return retry === "never" ? {} : { "retry-after": String(Math.ceil(retry / 1000)) };
}
