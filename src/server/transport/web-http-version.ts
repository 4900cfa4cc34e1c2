/** Which versions of HTTP can carry a call of the web port. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { httpVersionTooOld } from "../wire/error-wire.ts";
import { exchangeKey, type WebRequest, type WebResponse } from "./web-exchange.ts";

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
 * Answers every call of gRPC over HTTP/1.0 with 505, and returns whether it has. How a call ended stands in trailers, which
 * HTTP/1.0 does not have; without them gRPC clients go by the HTTP status.
 */
export function refuseGrpcOverHttp10(request: WebRequest, response: WebResponse): boolean {
  if (request.httpVersion !== "1.0" || !GRPC.test(request.headers["content-type"] ?? "")) return false;
  response.writeHead(505, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${httpVersionTooOld("1.0", "1.1").message}\n`);
  return true;
}

/** gRPC itself; gRPC-Web has its trailers in the body. */
const GRPC = /^application\/grpc(\+|;|$)/i;
