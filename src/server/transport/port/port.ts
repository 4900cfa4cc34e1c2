/** A port's life, the same for every protocol: listen, drain, close. */

import type { Server } from "node:net";
import { type TLSSocket, Server as TlsServer } from "node:tls";
import { createCertificateReview } from "./certificate-review.ts";
import { watchConnections } from "./connections.ts";
import { listen } from "./listen.ts";
import type { Transport, TransportOptions } from "./options.ts";
import { contextOptionsOf } from "./tls-material.ts";

/** µs in which what was said last is written when the port closes. */
const LAST_WORDS = 50_000;
/** µs that a connection may take to end after that. */
const LINGER = 500_000;

const NOTHING = () => {};

export interface PortOptions extends Pick<TransportOptions, "places" | "addresses" | "tls" | "log" | "clock"> {
  readonly limits: Pick<TransportOptions["limits"], "maxConnections">;
  /** Accepts the connections; nothing listens yet. */
  readonly server: Server;
  /** Sends the open connections away, each after its last call. Called once. */
  readonly drain: () => void;
  /** Ends one connection, whose client's certificate counts no more; unset: clients are asked for none. */
  readonly sendAway?: (socket: TLSSocket) => void;
  /** Ends the open connections, after what was written to them, and all else. Called once. */
  readonly end: () => void;
}

export function createPort(options: PortOptions): Transport {
  const { server, places, addresses, limits, tls, log, clock, drain, sendAway = NOTHING, end } = options;
  const connections = watchConnections({
    server,
    places,
    addresses,
    maxConnections: limits.maxConnections,
    log,
    clock,
  });
  const certificates = createCertificateReview({ server, tls, sendAway, clock, log });
  let draining = false;
  let ended = false;
  let closed: Promise<void> | undefined;

  const drainOnce = () => {
    if (draining) return;
    draining = true;
    server.close();
    drain();
  };
  const endOnce = () => {
    if (ended) return;
    ended = true;
    end();
  };
  const close = async () => {
    drainOnce();
    const cancelEnd = clock.schedule(clock.now() + LAST_WORDS, false, endOnce);
    const cancelLinger = clock.schedule(clock.now() + LAST_WORDS + LINGER, false, () => connections.destroyAll());
    await connections.whenEmpty();
    cancelEnd();
    cancelLinger();
    // There is more to end than connections.
    endOnce();
  };
  return {
    listen: (address, isShared) => listen(server, address, isShared),
    renew(material) {
      if (!(server instanceof TlsServer)) return;
      server.setSecureContext(contextOptionsOf(material));
      certificates.take(material);
    },
    drain: drainOnce,
    close: () => {
      closed ??= close();
      return closed;
    },
    destroy() {
      draining = true;
      server.close();
      connections.destroyAll();
      return connections.whenEmpty();
    },
  };
}
