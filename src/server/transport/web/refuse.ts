/** Answers a call with an error before anything of it is decoded, in the caller's protocol. */

import { toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, endStreamFlag, endStreamToJson, errorToJson } from "@connectrpc/connect/protocol-connect";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { WireError } from "../../wire/error-wire.ts";
import { statusToWire } from "../../wire/status-wire.ts";
import { readGrpcType } from "../rpc/grpc-type.ts";
import { PUSHBACK_KEY, pushbackOf } from "../rpc/pushback.ts";
import { connectErrorOf } from "./error.ts";
import type { WebRequest, WebResponse } from "./exchange.ts";

const CONNECT_STREAM = "application/connect+";

export function refuseWebCall(request: WebRequest, response: WebResponse, error: WireError): void {
  const type = request.headers["content-type"];
  const grpc = readGrpcType(type);
  if (grpc !== undefined) {
    response.writeHead(200, { "content-type": `application/${grpc.protocol}+${grpc.codec}`, ...grpcTrailers(error) });
    response.end();
    return;
  }
  const connectError: ConnectError = connectErrorOf(error, "connect");
  if (type?.startsWith(CONNECT_STREAM)) {
    response.writeHead(200, { "content-type": type });
    const last = JSON.stringify(endStreamToJson(new Headers(), connectError, undefined));
    response.end(encodeEnvelope(endStreamFlag, Buffer.from(last)));
    return;
  }
  response.writeHead(codeToHttpStatus(error.code), { "content-type": "application/json" });
  response.end(JSON.stringify(errorToJson(connectError, undefined)));
}

/** What gRPC and gRPC-Web read in the headers of an answer that has nothing else. */
function grpcTrailers(error: WireError): Record<string, string> {
  const status = Buffer.from(toBinary(StatusSchema, statusToWire(error)));
  return {
    "grpc-status": String(error.code),
    "grpc-message": encodeURI(error.message),
    "grpc-status-details-bin": status.toString("base64").replace(/=+$/, ""),
    ...(error.retry !== undefined && { [PUSHBACK_KEY]: pushbackOf(error.retry) }),
  };
}
