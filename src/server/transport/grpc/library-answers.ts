/** Calls that grpc-js answers by itself, since they never come to their method. It tells nobody of them. */

import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import querystring from "node:querystring";
import { Code } from "../../wire/error-wire.ts";
import type { RefusedCall } from "../rpc/dispatch.ts";
import { BY_METHOD } from "./trailers.ts";

/**
 * Calls back when a call is answered that is unknown, malformed or too large: by trailers alone, which no method has given. A deadline
 * is no refusal: it may have passed before the method was asked or after, and whoever waits in a method hears of it.
 */
export function onLibraryAnswer(stream: ServerHttp2Stream, listener: (no: RefusedCall) => void): void {
  const { respond } = stream;
  stream.respond = (headers?: OutgoingHttpHeaders | readonly string[], options?) => {
    const no = refusalIn(headers);
    if (no !== undefined) listener(no);
    respond.call(stream, headers, options);
  };
}

function refusalIn(headers: OutgoingHttpHeaders | readonly string[] = {}): RefusedCall | undefined {
  if (!("grpc-status" in headers) || BY_METHOD in headers) return undefined;
  const code: Code = Number(headers["grpc-status"]);
  if (code === Code.DeadlineExceeded) return undefined;
  // grpc-js leaves some messages as they are, with the path that was asked for in them: not each `%` there stands for a byte.
  return { code, message: querystring.unescape(String(headers["grpc-message"])) };
}
