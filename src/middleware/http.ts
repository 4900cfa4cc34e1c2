/** `ggen-backpressure/http`: admission for plain handlers of Node's HTTP/1.1 and HTTP/2 servers, and for upgrades. */

import type { AdmissionController } from "../client/api/admission-controller.ts";
import type { Client } from "../client/api/client.ts";
import type { Lease } from "../client/api/lease.ts";
import { admit, ask, keepLease, leaseOfRaw, sendAnswer } from "./admit.ts";
import type { HttpRequest, HttpResponse } from "./http-types.ts";
import { type AdmissionOptions, type ClientAdmissionOptions, createGate } from "./options.ts";
import type { RefusalAnswer } from "./refusal-answer.ts";

export type { HttpRequest, HttpResponse } from "./http-types.ts";
export type { AdmissionOptions, ClientAdmissionOptions, OfRequest } from "./options.ts";

/** What is reported of a server's mistakes: what a handler throws, and what can never be admitted. */
export interface ErrorOptions {
  /** Default: writes it to the console. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** A handler of plain requests. */
export type Handler<R, S> = (request: R, response: S) => unknown;

/** What admits, with its options. */
type Admits<R> =
  | readonly [client: Client, options: ClientAdmissionOptions<R> & ErrorOptions]
  | readonly [controller: AdmissionController, options: AdmissionOptions<R> & ErrorOptions];

/**
 * Admits each request before its handler runs: `createServer(admission(client, { limiter: "payments-db" }, handler))`. The
 * lease ends with the response: when it was sent, its client goes away, or the handler throws.
 *
 * Answers 429 for a "not now" and 503 where the server cannot be asked, both with `Retry-After`. What the handler throws,
 * or can never be admitted, as a limiter that does not exist, is answered by 500 and passed to `onError`.
 */
export function admission<R extends HttpRequest, S extends HttpResponse>(
  ...[admits, options, handler]: readonly [...Admits<R>, Handler<R, S>]
): (request: R, response: S) => Promise<void> {
  const gate = createGate<R>(admits, options);
  const { onError = console.error } = options;
  return async (request, response) => {
    try {
      const admission = await admit(gate, options, { request, raw: request, response });
      if (admission.kind === "admitted") await handler(request, response);
      else if (admission.kind === "refused") sendAnswer(admission.answer, request, response);
    } catch (error) {
      onError(error);
      fail(request, response);
    }
  };
}

/** Ends a response that its handler has left; what was sent of it already is cut off, so that no client takes it for whole. */
function fail(request: HttpRequest, response: HttpResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.statusCode = 500;
  response.setHeader("content-type", "text/plain");
  response.end(request.method === "HEAD" ? "" : "Internal Server Error\n");
}

/** What is used of the socket of an upgrade. */
export interface UpgradeSocket {
  readonly destroyed?: boolean | undefined;
  readonly readableLength: number;
  read(): unknown;
  end(text: string): unknown;
  destroy(): unknown;
  on(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
}

/** A handler of upgrades, as to WebSockets. */
export type UpgradeHandler<R, K, H> = (request: R, socket: K, head: H) => unknown;

/**
 * Admits each upgrade before its handler runs: `server.on("upgrade", upgradeAdmission(client, { limiter: "chat" }, handler))`.
 * The lease ends with the connection. Refusals are answered as those of requests, and close it.
 */
export function upgradeAdmission<R extends HttpRequest, K extends UpgradeSocket, H>(
  ...[admits, options, handler]: readonly [...Admits<R>, UpgradeHandler<R, K, H>]
): (request: R, socket: K, head: H) => Promise<void> {
  const gate = createGate<R>(admits, options);
  const { onError = console.error, skip, outcomeOf } = options;
  return async (request, socket, head) => {
    // Without a listener an error of the connection would end the process; its `close` follows.
    socket.on("error", () => {});
    try {
      if (!skip?.(request)) {
        const onOver = (listener: () => void) => void socket.on("close", listener);
        const unwatch = watchEnd(socket);
        const asked = ask(gate, request, onOver, () => socket.destroyed === true);
        const admission = await asked.finally(unwatch);
        if (admission.kind === "gone") return;
        if (admission.kind === "refused") {
          socket.end(textOf(admission.answer));
          return;
        }
        const { lease } = admission;
        if (lease !== undefined) {
          keepLease(request, lease);
          onOver(() => void lease.release(outcomeOf?.(101, request)));
        }
      }
      await handler(request, socket, head);
    } catch (error) {
      onError(error);
      socket.destroy();
    }
  };
}

/**
 * Notices that the client ends the connection while it waits: nothing reads the socket then, and without a reader a
 * socket does not report its end. What the client sends meanwhile stays for the handler. Returns what leaves the socket
 * as it was.
 */
function watchEnd(socket: UpgradeSocket): () => void {
  const look = () => {
    if (socket.readableLength === 0) socket.read();
  };
  const end = () => socket.destroy();
  socket.on("readable", look);
  socket.on("end", end);
  return () => {
    socket.removeListener("readable", look);
    socket.removeListener("end", end);
  };
}

function textOf({ status, headers, body }: RefusalAnswer): string {
  const reason = status === 429 ? "Too Many Requests" : "Service Unavailable";
  const all = { ...headers, "content-length": `${body.length}`, connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${reason}`, ...lines, "", body].join("\r\n");
}

/** Returns the lease under which a request is handled: stop when its `signal` aborts. */
export function leaseOf(request: HttpRequest): Lease | undefined {
  return leaseOfRaw(request);
}
