/** Which pages of other origins may call the web port. */

import { cors as fields } from "@connectrpc/connect";
import { readOrigin } from "../../wire/web-origin.ts";
import type { WebRequest, WebResponse } from "./exchange.ts";

export interface Cors {
  /** Whether pages of an origin may call; undefined: of one that their browser does not say. */
  allows(origin: string | undefined): boolean;
  /** Sets the headers that a browser looks for. True: the request was a preflight, and is answered. */
  handle(request: WebRequest, response: WebResponse): boolean;
}

export interface CorsOptions {
  /** As `readOrigin` takes them; `*` is any. Without one, no page of another origin may call. */
  readonly origins: readonly string[];
  /** Request headers that pages may send beside those of the protocols, of tracing and of login; `*`: any. */
  readonly headers: readonly string[];
}

/** s that a browser may remember a preflight; two hours are the most that any does. */
const MAX_AGE = 7200;

/** What tracing (W3C Trace Context, Baggage) and login add to a call. */
const USUAL_HEADERS = ["authorization", "baggage", "traceparent", "tracestate"];

/** What a page may read of an answer; over Connect a unary call's trailers are headers that begin with `trailer-`. */
const EXPOSED_HEADERS = [
  ...fields.exposedHeaders,
  "grpc-retry-pushback-ms",
  "retry-after",
  "trailer-grpc-retry-pushback-ms",
].join(", ");

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/i;

export function createCors({ origins, headers }: CorsOptions): Cors {
  const any = origins.includes("*");
  const matchers = origins.flatMap((origin) => {
    const reading = readOrigin(origin);
    return reading.kind === "valid" ? [reading.matches] : [];
  });
  const anyHeader = headers.includes("*");
  const ownHeaders = headers.filter((name) => name !== "*").map((name) => name.toLowerCase());
  const allowedHeaders = [...new Set([...fields.allowedHeaders, ...USUAL_HEADERS, ...ownHeaders])];
  const vary = [...(any ? [] : ["origin"]), ...(anyHeader ? ["access-control-request-headers"] : [])].join(", ");

  /** A `*` in the answer would leave out `authorization`, so what is asked for is named. */
  function allowedTo(request: WebRequest): string {
    if (!anyHeader) return allowedHeaders.join(", ");
    const asked = String(request.headers["access-control-request-headers"] ?? "").split(",");
    const names = asked.map((name) => name.trim().toLowerCase()).filter((name) => HEADER_NAME.test(name));
    return [...new Set([...allowedHeaders, ...names])].join(", ");
  }

  const allows = (origin: string | undefined) =>
    any || (origin !== undefined && matchers.some((matches) => matches(origin)));

  return {
    allows,
    handle(request, response) {
      if (origins.length === 0) return false;
      // Caches must not hand one origin's answer to another, or to a page of this port.
      if (vary !== "") response.setHeader("vary", vary);
      const { origin } = request.headers;
      if (origin === undefined) return false;
      const isAllowed = allows(origin);
      if (isAllowed) {
        response.setHeader("access-control-allow-origin", any ? "*" : origin);
        response.setHeader("access-control-expose-headers", EXPOSED_HEADERS);
      }
      if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
      if (isAllowed) {
        response.setHeader("access-control-allow-methods", fields.allowedMethods.join(", "));
        response.setHeader("access-control-allow-headers", allowedTo(request));
        response.setHeader("access-control-max-age", String(MAX_AGE));
      }
      response.writeHead(isAllowed ? 204 : 403);
      response.end();
      return true;
    },
  };
}
