/** TLS in front of a port: who may begin a handshake and when, and what becomes of those that speak something else. */

import type { Server, Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { readFirstBytes } from "./first-bytes.ts";
import { answerPlainText } from "./plain-text.ts";
import { contextOptionsOf, type TlsMaterial } from "./tls-material.ts";

/**
 * Handshakes that begin in one turn of the event loop. Each takes about a millisecond of it: when thousands of clients come back at
 * once, what others wait for is not later than so many.
 */
const HANDSHAKES_A_TURN = 20;
/** ms. */
export const HANDSHAKE_TIMEOUT = 10_000;
/** How a TLS client begins: the type of a record that carries a handshake. */
const HANDSHAKE_RECORD = 0x16;

/** `protocols`: what may be spoken over it, by the names of ALPN. */
export function tlsOptions(material: TlsMaterial, protocols: readonly string[]): TlsOptions {
  return {
    ...contextOptionsOf(material),
    ALPNProtocols: [...protocols],
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    requestCert: material.clientCa !== undefined,
    // A client without a valid certificate may have a token, and is told what is wrong by a status where it has none.
    rejectUnauthorized: false,
  };
}

/**
 * Stands before the listeners that `server` has for connections, which begin the handshake: they see a connection when it has said
 * its first word of TLS, some of them a turn. Returns the connections that they have not seen yet.
 */
export function guardHandshakes(options: {
  readonly server: Server;
  readonly clock: Clock;
  readonly log: Log;
}): ReadonlySet<Socket> {
  const { server, clock, log } = options;
  const begin = server.listeners("connection");
  const undecided = new Set<Socket>();
  const waiting: Socket[] = [];
  let begun = 0;
  let isTurning = false;

  function endTurn(): void {
    begun = 0;
    for (const socket of waiting.splice(0, HANDSHAKES_A_TURN)) start(socket);
    isTurning = begun > 0;
    if (isTurning) clock.schedule(clock.now(), false, endTurn);
  }
  function start(socket: Socket): void {
    if (socket.destroyed) return;
    begun += 1;
    undecided.delete(socket);
    for (const listener of begin) listener.call(server, socket);
  }
  function enter(socket: Socket): void {
    if (!isTurning) {
      isTurning = true;
      clock.schedule(clock.now(), false, endTurn);
    }
    if (begun < HANDSHAKES_A_TURN && waiting.length === 0) start(socket);
    else waiting.push(socket);
  }

  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    readFirstBytes(socket, clock, (head) => () => {
      if (head[0] === HANDSHAKE_RECORD) {
        socket.unshift(head);
        enter(socket);
      } else {
        log.debug(
          { event: "plain-text-refused", peer: peerOf(socket) },
          "a connection to a TLS port is refused: it speaks plain text",
        );
        answerPlainText(socket, head, clock);
      }
    });
  });
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    // Node has ended processes for an error of a socket that nobody listened to (CVE-2025-59465).
    socket.on("error", () => {});
  });
  server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
    log.debug({ event: "handshake-failed", peer: peerOf(socket), error: error.message }, "a TLS handshake has failed");
    socket.destroy();
  });
  return undecided;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
