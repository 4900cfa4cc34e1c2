/** Trailers as gRPC wants them. grpc-js has it otherwise: a message even with OK, and padding in base64. */

import type { OutgoingHttpHeaders } from "node:http2";
import { Metadata } from "@grpc/grpc-js";

/** Stands in headers that a method has answered with, and is never sent. */
export const BY_METHOD = Symbol("by a method");

/** Binary values are sent without padding ("implementations should emit un-padded values"). */
export class Trailers extends Metadata {
  override clone(): Trailers {
    const clone = new Trailers();
    clone.merge(this);
    return clone;
  }

  override toHttp2Headers(): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders & { [BY_METHOD]?: true } = super.toHttp2Headers();
    headers[BY_METHOD] = true;
    for (const [name, value] of Object.entries(headers)) {
      if (!name.endsWith("-bin")) continue;
      headers[name] = Array.isArray(value) ? value.map(withoutPadding) : withoutPadding(String(value));
    }
    return headers;
  }
}

function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, "");
}

/** What there is to say with OK. It is never changed, so that all calls may have the same. */
class NoTrailers extends Metadata {
  override clone(): this {
    return this;
  }

  /** These stand over those that grpc-js has, and what is undefined is not sent. */
  override toHttp2Headers(): OutgoingHttpHeaders {
    return NO_MESSAGE;
  }
}

const NO_MESSAGE: OutgoingHttpHeaders = Object.freeze({ "grpc-message": undefined, [BY_METHOD]: true });

export const OK_TRAILERS: Metadata = new NoTrailers();
