/** HTTP/2 and HTTP/1.1 on one plain-text port. With TLS, ALPN tells them apart (`alpn.ts`). */

import type { Server } from "node:http";
import type { Http2Server } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import { readFirstBytes } from "../port/first-bytes.ts";

/** How a client begins that knows that we speak HTTP/2. */
const PREFACE = Buffer.from("PRI * HTTP/2.0");

/**
 * Lets `http2` serve those connections of `http1` that speak HTTP/2. It is `http1` that listens, since Node enforces
 * its timeouts only on a server that does. Returns the connections that have not said yet what they speak.
 */
export function shareListener(options: {
  readonly http1: Server;
  readonly http2: Http2Server;
  readonly clock: Clock;
}): ReadonlySet<Socket> {
  const { http1, http2, clock } = options;
  const undecided = new Set<Socket>();
  const serveHttp1 = http1.listeners("connection");
  http1.removeAllListeners("connection");
  http1.on("connection", (socket: Socket) => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    sniffProtocol(socket, clock, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) {
        // Node's HTTP/1.1 sees to clients that end their side; its HTTP/2 leaves that to the socket.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
      } else {
        for (const serve of serveHttp1) serve.call(http1, socket);
      }
    });
  });
  return undecided;
}

/** Reads as little as it must, puts it back, and calls `found` once; a connection that says nothing is closed. */
function sniffProtocol(socket: Socket, clock: Clock, found: (isHttp2: boolean) => void): void {
  let head: Buffer = Buffer.alloc(0);

  readFirstBytes(socket, clock, (piece) => {
    head = Buffer.concat([head, piece]);
    const compared = Math.min(head.length, PREFACE.length);
    const isPreface = head.compare(PREFACE, 0, compared, 0, compared) === 0;
    if (isPreface && compared < PREFACE.length) return undefined;
    return () => {
      socket.unshift(head);
      found(isPreface);
    };
  });
}
