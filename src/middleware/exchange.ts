/** One request with its response: how it ends, reported once, whichever way that is. */

import type { Closable, HttpRequest, HttpResponse } from "./http-types.ts";

export interface Exchange {
  /** Whether its response has ended, or its client has gone. */
  readonly isOver: boolean;
  /** Whether its response was sent to its end. */
  readonly isSent: boolean;
  /** Called once, when it is over; at once where it is. */
  onOver(listener: () => void): void;
}

/** Watches a request from now on. */
export function watchExchange(request: HttpRequest, response: HttpResponse): Exchange {
  const listeners = new Set<() => void>();
  const forget = onClose(connectionOf(request), over);
  let isOver = false;
  let isSent = false;

  function over(): void {
    if (isOver) return;
    isOver = true;
    forget();
    response.removeListener("finish", sent);
    response.removeListener("close", over);
    for (const listener of listeners) listener();
  }

  function sent(): void {
    // A response of HTTP/2 says `finish` of a reset, too, whether its handler had ended it or not.
    isSent = response.writableEnded !== false;
    over();
  }

  // `finish` comes first where the response was sent; `close` alone where it was cut off.
  response.once("finish", sent);
  response.once("close", over);
  if (isGone(response) || connectionOf(request)?.destroyed) over();
  return {
    get isOver() {
      return isOver;
    },
    get isSent() {
      return isSent;
    },
    onOver(listener) {
      if (isOver) listener();
      else listeners.add(listener);
    },
  };
}

function isGone({ destroyed, writableEnded, stream }: HttpResponse): boolean {
  return destroyed === true || writableEnded === true || stream?.destroyed === true;
}

/**
 * The connection of HTTP/1.1: a response that waits for those of earlier requests on it (pipelining) is not notified of
 * its end. An HTTP/2 response is notified of the end of its stream.
 */
function connectionOf({ httpVersionMajor, socket }: HttpRequest): Closable | undefined {
  if (httpVersionMajor === 2 || typeof (socket as Partial<Closable> | null | undefined)?.once !== "function")
    return undefined;
  return socket as Closable;
}

/** Listeners for the close of a connection: one listener each, however many requests it has carried. */
const watchers = new WeakMap<Closable, Set<() => void>>();

function onClose(connection: Closable | undefined, listener: () => void): () => void {
  if (connection === undefined) return () => {};
  let those = watchers.get(connection);
  if (those === undefined) {
    const made = new Set<() => void>();
    connection.once("close", () => {
      for (const one of [...made]) one();
    });
    watchers.set(connection, made);
    those = made;
  }
  those.add(listener);
  return () => those.delete(listener);
}
