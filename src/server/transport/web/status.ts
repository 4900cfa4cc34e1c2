/** With which status calls of connect-node end, and by which system. */

import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import { Code } from "../../wire/error-wire.ts";
import type { RpcSystem } from "../rpc/call-times.ts";
import { readGrpcType } from "../rpc/grpc-type.ts";
import type { WebExchange } from "./exchange.ts";

export function systemOf({ protocolName }: HandlerContext): RpcSystem {
  return protocolName === "connect" ? "connectrpc" : "grpc";
}

/** The system by which a request asks, as its content type says. */
export function systemAsked(contentType: string | undefined): RpcSystem {
  return readGrpcType(contentType) === undefined ? "connectrpc" : "grpc";
}

/** The status of a call that connect-node has answered by itself. */
export function codeOfRefusal({ ending }: Pick<WebExchange, "ending">): Code {
  if (ending === undefined) return Code.Unimplemented;
  return ending.reason instanceof ConnectError ? ending.reason.code : Code.Internal;
}

/** The status of a call whose client is gone, or whose time has passed. */
export function codeOfGone({ signal }: HandlerContext): Code {
  return codeOf(signal.reason);
}

/** The status that something ends a call with; what is no error of a call is the loss of its client. */
export function codeOf(reason: unknown): Code {
  return reason instanceof ConnectError ? reason.code : Code.Canceled;
}
