/** Serves metrics at `/metrics`, at the pace of whoever reads them. */

import { constants } from "node:http2";
import type { Caller } from "../../access/caller.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { type ExpositionFormat, type Scraper, TooManyScrapes } from "../../scrape.ts";
import { notAllowed } from "../../wire/error-wire.ts";
import type { WebRequest, WebResponse } from "./exchange.ts";
import type { GuardedPage } from "./handler.ts";
import { refuseWebCall } from "./refuse.ts";

export interface MetricsPageOptions {
  readonly scraper: Scraper;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a caller may read what the server has of everybody. Unset: whoever asks may. */
  readonly mayRead?: ((caller: Caller) => boolean) | undefined;
}

const PATH = "/metrics";
/** µs that a reader may take for one piece of text. */
const PATIENCE = 10_000_000;

const TYPES: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

export function createMetricsPage(options: MetricsPageOptions): GuardedPage {
  const { mayRead = () => true } = options;
  return {
    isAskedFor({ method, url = "" }) {
      return (method === "GET" || method === "HEAD") && url.split("?", 1)[0] === PATH;
    },
    answer(request, response, caller) {
      // What goes wrong with either ends in "close".
      request.on("error", () => {});
      response.on("error", () => {});
      if (mayRead(caller)) void answer(request, response, options);
      else refuseWebCall(request, response, notAllowed("observe", "*"));
    },
  };
}

async function answer(request: WebRequest, response: WebResponse, options: MetricsPageOptions): Promise<void> {
  const { scraper, clock, log } = options;
  const format = formatOf(request.headers.accept);
  const head = { "content-type": TYPES[format], "cache-control": "no-store", "x-content-type-options": "nosniff" };
  if (request.method === "HEAD") {
    response.writeHead(200, head);
    response.end();
    return;
  }
  const pieces = scraper(format);
  try {
    // Whether there is anything to read is known with the first piece.
    let piece = await pieces.next();
    if (response.destroyed) return;
    response.writeHead(200, head);
    for (; !piece.done; piece = await pieces.next()) {
      if (!(await write(response, piece.value, clock))) return;
    }
    response.end();
  } catch (error) {
    if (error instanceof TooManyScrapes) {
      refuse(response, error.message);
      return;
    }
    log.debug({ event: "scrape-broken-off", err: error }, "a scrape of the metrics has broken off");
    if (response.headersSent) breakOff(response);
    else refuse(response, "the metrics cannot be read now: the server stops");
  } finally {
    await pieces.return();
  }
}

/** Resolves when the text has left this process; false: it will not, or its reader is too slow. */
function write(response: WebResponse, text: string, clock: Clock): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const onClose = () => resolve(false);
  response.once("close", onClose);
  const cancel = clock.schedule(clock.now() + PATIENCE, false, () => {
    breakOff(response);
    resolve(false);
  });
  response.write(text, (error) => resolve(!error));
  return promise.finally(() => {
    cancel();
    response.removeListener("close", onClose);
  });
}

function refuse(response: WebResponse, message: string): void {
  response.writeHead(503, { "content-type": "text/plain; charset=utf-8", "retry-after": "1" });
  response.end(`${message}\n`);
}

/** Ends it so that its reader does not take it for whole. */
function breakOff(response: WebResponse): void {
  if ("stream" in response) (response.stream as { close(code: number): void }).close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
}

/** OpenMetrics for whoever prefers it to plain text, as Prometheus does. */
function formatOf(accept: string | undefined): ExpositionFormat {
  const ranges = (accept ?? "").split(",").map(readRange);
  const weightOf = (type: string) => Math.max(0, ...ranges.filter((range) => range.type === type).map(({ q }) => q));
  const open = weightOf("application/openmetrics-text");
  return open > 0 && open >= weightOf("text/plain") ? "openmetrics" : "prometheus";
}

function readRange(range: string): { readonly type: string; readonly q: number } {
  const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
  const version = parameters.find((parameter) => parameter.startsWith("version="));
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  // Of OpenMetrics there is one version here.
  const isOther = type.endsWith("openmetrics-text") && version !== undefined && version !== "version=1.0.0";
  return { type: isOther ? "" : type, q: weight === undefined ? 1 : Number(weight.slice(2)) || 0 };
}
