/** Sends clients away whose certificates count no more: other authorities are in force, or another list of withdrawn certificates. */

import type { Server } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { createCertificateCheck } from "./certificate-check.ts";
import { HANDSHAKE_TIMEOUT } from "./tls-listener.ts";
import type { TlsMaterial } from "./tls-material.ts";

export interface CertificateReview {
  /** The port speaks with this from now on. */
  take(material: TlsMaterial): void;
}

export interface CertificateReviewOptions {
  readonly server: Server;
  /** What it speaks with at the start; undefined: plain text. */
  readonly tls: TlsMaterial | undefined;
  /** Ends a connection, and what is held over it is lost to its client. */
  readonly sendAway: (socket: TLSSocket) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Certificates that are looked at in one turn of the event loop: each takes some tenths of a millisecond. */
const CHECKS_A_TURN = 20;

export function createCertificateReview(options: CertificateReviewOptions): CertificateReview {
  const { server, tls, sendAway, clock, log } = options;
  const sockets = new Set<TLSSocket>();
  let before = tls;
  let check = (_: TLSSocket) => true;
  /** µs: by then the last handshake has ended that began with what was in force before. */
  let lateUntil = Number.NEGATIVE_INFINITY;

  server.on("secureConnection", (socket: TLSSocket) => {
    if (!socket.authorized) return;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (clock.now() < lateUntil && !check(socket)) sendAway(socket);
  });

  async function review(counts: (socket: TLSSocket) => boolean): Promise<void> {
    let sentAway = 0;
    const open = [...sockets];
    for (const [index, socket] of open.entries()) {
      if (index > 0 && index % CHECKS_A_TURN === 0)
        await new Promise<void>((resolve) => void clock.schedule(clock.now(), false, resolve));
      if (check !== counts) return;
      if (socket.destroyed || counts(socket)) continue;
      sentAway += 1;
      sendAway(socket);
    }
    log.info(
      { event: "clients-reviewed", connections: open.length, sentAway },
      "which client certificates count has changed; connections whose certificate counts no more are sent away",
    );
  }

  return {
    take(material) {
      const isOther = material.clientCa !== before?.clientCa || material.clientCrl !== before?.clientCrl;
      before = material;
      if (!isOther) return;
      check = createCertificateCheck(material, clock.wallTime(clock.now()));
      lateUntil = clock.now() + HANDSHAKE_TIMEOUT * 1_000;
      void review(check);
    },
  };
}
