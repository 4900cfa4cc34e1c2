/**
 * Reads what is left of an HTTP/1.1 request that is answered early: too large a message, a wrong type, an unknown path.
 *
 * The connection carries the next request only after the rest of this one, and Node reads on by itself only where
 * nothing has been read. A rest within bounds is read and dropped before the answer, and the connection goes on. Beyond
 * them the answer says `connection: close`, and the socket lingers: one that is closed while the client still sends is
 * reset, and a reset may take the answer with it.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../clock.ts";

/** Bytes that are read and dropped, and µs in which they must have come. */
export const REST_BYTES = 4 << 20;
const REST_TIME = 2_000_000;
/** µs in which a client to which the connection is closed may go on sending. */
const LINGER = 2_000_000;

/** Resolves when the response may be written; undefined: it may now. */
export function readRest(request: IncomingMessage, response: ServerResponse, clock: Clock): Promise<void> | undefined {
  if (request.readableEnded || request.destroyed || !hasBody(request)) return undefined;
  return new Promise((resolve) => {
    let left = REST_BYTES;
    const settle = () => {
      cancel();
      request.removeListener("data", onData);
      request.removeListener("end", settle);
      request.removeListener("close", settle);
      resolve();
    };
    const giveUp = () => {
      closeAfter(request, response, clock);
      settle();
      // A request without a listener for its data stops; it is dropped until the socket is closed.
      request.resume();
    };
    const onData = (chunk: Uint8Array) => {
      left -= chunk.byteLength;
      if (left < 0) giveUp();
    };
    const cancel = clock.schedule(clock.now() + REST_TIME, false, giveUp);
    request.on("data", onData);
    request.once("end", settle);
    request.once("close", settle);
    const { "content-length": length } = request.headers;
    // What cannot come within the bounds is not waited for.
    if (length !== undefined && Number(length) > REST_BYTES + request.socket.bytesRead) giveUp();
    else request.resume();
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Closes the connection with this response, without a reset. */
function closeAfter(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  const { socket } = request;
  if (!response.headersSent) response.setHeader("connection", "close");
  // So Node closes the socket once the last response of a connection has left.
  socket.destroySoon = () => {
    const cancel = clock.schedule(clock.now() + LINGER, false, () => socket.destroy());
    socket.once("close", cancel);
    socket.end();
  };
}
