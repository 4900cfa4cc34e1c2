/** What the headers of a request must say for it to be a call of the gRPC port. grpc-js looks at hardly any of it. */

import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { WireError } from "../../wire/error-wire.ts";
import type { RefusedCall } from "../rpc/dispatch.ts";
import { readGrpcType } from "../rpc/grpc-type.ts";
import { statusOf } from "./status.ts";

/** Those that grpc-js has. */
const ENCODINGS = ["identity", "deflate", "gzip"];
/** Characters of a header that are quoted. */
const MOST_QUOTED = 64;

interface ForeignRefusal {
  /** HTTP's, for callers that do not speak gRPC. */
  readonly status: number;
  readonly code: Code;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a request that is no call of gRPC with messages of protobuf, and returns with what; undefined: it is one. */
export function refuseForeign(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): RefusedCall | undefined {
  const refusal = refusalOf(headers);
  if (refusal === undefined) return undefined;
  // An error without a listener would end the process.
  stream.on("error", () => {});
  stream.respond(
    {
      ":status": refusal.status,
      "content-type": "application/grpc",
      "grpc-status": String(refusal.code),
      "grpc-message": encodeURI(refusal.message),
      ...refusal.headers,
    },
    { endStream: true },
  );
  stream.resume();
  return refusal;
}

/** Answers a call of gRPC with an error before grpc-js has seen it: trailers alone. */
export function refuseCall(stream: ServerHttp2Stream, error: WireError): void {
  stream.on("error", () => {});
  const { code, details, metadata } = statusOf(error);
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc+proto",
      ...metadata.toHttp2Headers(),
      "grpc-status": String(code),
      "grpc-message": encodeURI(details),
    },
    { endStream: true },
  );
  stream.resume();
}

function refusalOf(headers: IncomingHttpHeaders): ForeignRefusal | undefined {
  const method = headers[":method"];
  // What nearly all calls say.
  if (method === "POST" && headers["content-type"] === "application/grpc" && !("grpc-encoding" in headers)) return;
  if (method !== "POST") {
    return {
      status: 405,
      code: Code.Internal,
      message: `a call of gRPC is a POST, not a ${quoted(method)}`,
      headers: { allow: "POST" },
    };
  }
  const type = headers["content-type"];
  // What does not begin so is answered by grpc-js, with nothing but HTTP's 415.
  if (type?.startsWith("application/grpc") && !isServed(type)) {
    return {
      status: 415,
      code: Code.Unimplemented,
      message: `this port takes application/grpc with messages of protobuf, not ${quoted(type)}; gRPC-Web is served by the web port`,
    };
  }
  const encoding = headers["grpc-encoding"];
  if (encoding !== undefined && !(typeof encoding === "string" && ENCODINGS.includes(encoding))) {
    return {
      status: 200,
      code: Code.Unimplemented,
      message: `messages are taken as they are or compressed by deflate or gzip, not by ${quoted(encoding)}`,
      headers: { "grpc-accept-encoding": ENCODINGS.join(",") },
    };
  }
  return undefined;
}

function isServed(type: string): boolean {
  const read = readGrpcType(type);
  return read?.protocol === "grpc" && read.codec === "proto";
}

/** A text of the caller's, not longer than it helps. */
function quoted(text: unknown): string {
  return String(text).slice(0, MOST_QUOTED).toWellFormed();
}
