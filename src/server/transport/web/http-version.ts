/** Which versions of HTTP can carry a call of the web port. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { httpVersionTooOld } from "../../wire/error-wire.ts";
import type { RefusedCall } from "../rpc/dispatch.ts";
import { readGrpcType } from "../rpc/grpc-type.ts";
import { exchangeKey, type WebRequest, type WebResponse } from "./exchange.ts";

/**
 * Throws where the answer of a streaming call would not arrive, so that the caller does not wait in silence. HTTP/1.0 has no
 * chunks: proxies that speak it collect an answer to its end, and a lost connection looks like the end. Over HTTP/1.1 an
 * answer comes after the whole of its request.
 */
export function requireHttpVersion({ methodKind }: DescMethod, { values }: HandlerContext): void {
  const version = values.get(exchangeKey)?.httpVersion ?? "2.0";
  if (!version.startsWith("1.")) return;
  if (methodKind === "bidi_streaming") throw httpVersionTooOld(version, "2");
  if (version === "1.0") throw httpVersionTooOld(version, "1.1");
}

/**
 * Whether a request is a call of gRPC over HTTP/1.0. How a call ended stands in trailers, which HTTP/1.0 does not have;
 * gRPC-Web has its trailers in the body.
 */
export function isGrpcOverHttp10({ httpVersion, headers }: WebRequest): boolean {
  return httpVersion === "1.0" && readGrpcType(headers["content-type"])?.protocol === "grpc";
}

/** Answers such a call with 505: without trailers gRPC clients go by the HTTP status. */
export function refuseGrpcOverHttp10(response: WebResponse): RefusedCall {
  response.writeHead(505, { "content-type": "text/plain; charset=utf-8" });
  const { code, message } = httpVersionTooOld("1.0", "1.1");
  response.end(`${message}\n`);
  return { code, status: 505, message };
}
