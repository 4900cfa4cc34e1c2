/** The sockets of a port: how many there may be, and when the last has gone. */

import type { Server, Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { AddressPlaces } from "./address-places.ts";
import type { ConnectionPlaces } from "./connection-places.ts";

export interface Connections {
  readonly size: number;
  destroyAll(): void;
  /** Resolves when no socket is left. */
  whenEmpty(): Promise<void>;
}

/** µs between two warnings of one kind. */
const QUIET_TIME = 10_000_000;

/**
 * Watches over the sockets of a server that listens, whose other listeners for connections are there already. A socket beyond the
 * limit is closed before they see it, and an `accept` that fails (no more file descriptors) leaves the server alive.
 */
export function watchConnections(options: {
  readonly server: Server;
  readonly places: ConnectionPlaces;
  /** Unset: any number may come from one address. */
  readonly addresses?: AddressPlaces | undefined;
  readonly maxConnections: number;
  readonly log: Log;
  readonly clock: Clock;
}): Connections {
  const { server, places, addresses, maxConnections, log, clock } = options;
  const sockets = new Set<Socket>();
  let emptied: (() => void)[] = [];

  const warnOfDrops = rarely(clock, (times) =>
    log.warn(
      { event: "connections-dropped", dropped: times, maxConnections },
      "connections were closed at once: as many are open as may be",
    ),
  );
  const warnOfAddress = rarely<string>(clock, (times, address) =>
    log.warn(
      { event: "address-connections-dropped", dropped: times, address },
      "connections were closed at once: as many are open from one address as may be (limits.max_connections_per_address)",
    ),
  );
  const warnOfErrors = rarely(clock, (times, err) =>
    log.warn({ event: "connection-not-accepted", err, times }, "a connection could not be accepted"),
  );
  server.on("error", (error) => {
    if (server.listening) warnOfErrors(error);
  });
  const serve = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (!places.take()) {
      warnOfDrops(undefined);
      socket.destroy();
      return;
    }
    const address = socket.remoteAddress ?? "unknown";
    const leaveAddress = addresses === undefined ? NOTHING : addresses.take(address);
    if (leaveAddress === undefined) {
      places.leave();
      warnOfAddress(address);
      socket.destroy();
      return;
    }
    sockets.add(socket);
    // What is wrong with a socket ends it, and its protocol notices that; unheard, it would end the process.
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      places.leave();
      leaveAddress();
      if (sockets.size > 0) return;
      for (const resolve of emptied) resolve();
      emptied = [];
    });
    for (const listener of serve) listener.call(server, socket);
  });

  return {
    get size() {
      return sockets.size;
    },
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
    whenEmpty() {
      return sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => emptied.push(resolve));
    },
  };
}

const NOTHING = () => {};

/** Says something at most once in `QUIET_TIME`, with how many times it would have been said since. */
function rarely<T>(clock: Clock, say: (times: number, latest: T) => void): (latest: T) => void {
  let times = 0;
  let quietUntil = Number.NEGATIVE_INFINITY;
  return (latest) => {
    times += 1;
    if (clock.now() < quietUntil) return;
    quietUntil = clock.now() + QUIET_TIME;
    say(times, latest);
    times = 0;
  };
}
