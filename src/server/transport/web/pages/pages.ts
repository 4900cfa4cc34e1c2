/** Serves the dashboard at `/`, from memory. */

import type { WebRequest, WebResponse } from "../exchange.ts";
import type { Pages } from "../handler.ts";
import type { PageFile } from "./files.ts";

/**
 * The page loads its own scripts and styles and calls its own server, and nothing else. Text never becomes markup
 * (`trusted-types`), so what a client has called itself cannot run on an operator's page. No other page may frame this one.
 */
const SECURITY = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const INDEX = "index.html";
/** A year, the most that caches heed. */
const FOR_EVER = "public, max-age=31536000, immutable";
const ASK_EACH_TIME = "no-cache";

/** Answers GET and HEAD for exactly these files, `index.html` at `/`. */
export function createPages(files: readonly PageFile[]): Pages {
  const byPath = new Map(files.map((file) => [file.path === INDEX ? "/" : `/${file.path}`, file]));
  return (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") return false;
    const [path = ""] = (request.url ?? "").split("?", 1);
    const file = byPath.get(path);
    if (file === undefined) return false;
    answer(file, request, response);
    return true;
  };
}

function answer(file: PageFile, request: WebRequest, response: WebResponse): void {
  const zips = acceptsGzip(request.headers["accept-encoding"]);
  // The two forms are two representations, so each has a tag of its own.
  const etag = zips ? `"${file.etag}-gz"` : `"${file.etag}"`;
  const head = {
    ...SECURITY,
    "cache-control": file.immutable ? FOR_EVER : ASK_EACH_TIME,
    etag,
    vary: "accept-encoding",
  };
  if (isKnown(request.headers["if-none-match"], etag)) {
    response.writeHead(304, head);
    response.end();
    return;
  }
  const body = zips ? file.gzipped : file.contents;
  response.writeHead(200, {
    ...head,
    ...(zips && { "content-encoding": "gzip" }),
    "content-type": file.type,
    "content-length": String(body.length),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function acceptsGzip(accepted: string | string[] | undefined): boolean {
  return String(accepted ?? "")
    .split(",")
    .map((coding) => coding.trim().toLowerCase())
    .some((coding) => coding === "gzip" || (coding.startsWith("gzip;") && !/;\s*q=0(\.0*)?$/.test(coding)));
}

function isKnown(tags: string | undefined, etag: string): boolean {
  if (tags === undefined) return false;
  const known = tags.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return known.includes("*") || known.includes(etag);
}
