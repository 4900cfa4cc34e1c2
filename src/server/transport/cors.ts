/** Which pages of other origins may call the web port. */

import { cors as fields } from "@connectrpc/connect";
import type { WebRequest, WebResponse } from "./web-exchange.ts";

export interface Cors {
  /** Sets the headers that a browser looks for. True: the request was a preflight, and is answered. */
  handle(request: WebRequest, response: WebResponse): boolean;
}

/** s that a browser may remember a preflight; two hours are the most that any does. */
const MAX_AGE = 7200;

/** `origins`: as `https://app.example.com`; `*` is any. Without one, no page of another origin may call. */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins.map(normalize));
  const any = allowed.has("*");
  return {
    handle(request, response) {
      const { origin } = request.headers;
      if (allowed.size === 0 || origin === undefined) return false;
      // Caches must not hand one origin's answer to another.
      if (!any) response.setHeader("vary", "origin");
      const isAllowed = any || allowed.has(normalize(origin));
      if (isAllowed) {
        response.setHeader("access-control-allow-origin", any ? "*" : origin);
        response.setHeader("access-control-expose-headers", fields.exposedHeaders.join(", "));
      }
      if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
      if (isAllowed) {
        response.setHeader("access-control-allow-methods", fields.allowedMethods.join(", "));
        response.setHeader("access-control-allow-headers", fields.allowedHeaders.join(", "));
        response.setHeader("access-control-max-age", String(MAX_AGE));
      }
      response.writeHead(isAllowed ? 204 : 403);
      response.end();
      return true;
    },
  };
}

function normalize(origin: string): string {
  return origin.toLowerCase().replace(/\/$/, "");
}
