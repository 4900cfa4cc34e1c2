/** HTTP/2 as both ports serve it: what a connection may do, whether it lives, and how it is sent away. */

import type { Http2Server, Http2Session, ServerOptions } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { StreamEnd } from "../service/rpc.ts";
import type { Liveness, TransportLimits } from "./options.ts";
import { createSessionKeeper } from "./session-keeper.ts";

/**
 * Cancels that one connection may send: so many at once, and so many a second for ever. Node's own bounds (1,000 and
 * 33) end the connection, with every lease on it, of a client that gives its leases back by cancelling; a flood of
 * resets is still soon over.
 */
const RESET_BURST = 4_000;
const RESET_RATE = 1_000;
/**
 * Streams beyond the limit that one connection may try to open in its life. Node ends a connection after 100: a client
 * at its limit that cancels one and opens the next at once would get there, since Node counts the cancelled one for a
 * moment longer.
 */
const REJECTED_STREAMS = 2 ** 32 - 1;
/** MB that Node may buffer for one connection; its own 10 are too few for a thousand streams. */
const SESSION_MEMORY = 64;

export function http2Options(limits: TransportLimits): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.maxStreamsPerConnection,
      maxHeaderListSize: limits.maxMetadataBytes,
    },
    maxSessionMemory: SESSION_MEMORY,
    maxSessionRejectedStreams: REJECTED_STREAMS,
    streamResetBurst: RESET_BURST,
    streamResetRate: RESET_RATE,
  };
}

/** One HTTP/2 connection. */
export interface Http2Connection {
  /** The other end: address and port. */
  readonly peer: string;
  /** Why a stream of this connection that has just ended did so. */
  howStreamEnded(): StreamEnd;
}

export interface Http2Sessions {
  of(session: Http2Session): Http2Connection | undefined;
  /** Sends GOAWAY to all: no new streams, and a connection ends with its last one. */
  drain(): void;
  /** Ends all connections, after what was written to them. */
  destroyAll(): void;
}

export function createHttp2Sessions(options: {
  readonly server: Http2Server;
  readonly liveness: Liveness;
  readonly clock: Clock;
}): Http2Sessions {
  const { server, liveness, clock } = options;
  const connections = new Map<Http2Session, Http2Connection>();

  const keeper = createSessionKeeper();
  // Node makes the session while it hands out the socket, so the latest socket is that of the new session.
  let arriving: Socket | undefined;
  server.prependListener("connection", (socket: Socket) => {
    arriving = socket;
  });
  server.on("session", (session: Http2Session) => {
    const socket = arriving;
    if (socket === undefined) return;
    const connection: Http2Connection = {
      peer: `${socket.remoteAddress}:${socket.remotePort}`,
      // A stream is reset with the same code by its client and by the loss of its connection. The session tells them
      // apart, not the socket: at a failed ping, or a GOAWAY with an error, the session is destroyed first.
      howStreamEnded: () => (session.destroyed || socket.destroyed ? "lost" : "cancelled"),
    };
    connections.set(session, connection);
    keeper.watch(session);
    const stopProbes = keepAlive({ session, socket, liveness, clock });
    session.once("close", () => {
      stopProbes();
      connections.delete(session);
    });
  });
  server.on("sessionError", (_error: Error, session: Http2Session) => session.destroy());

  return {
    of: (session) => connections.get(session),
    drain() {
      for (const session of connections.keys()) session.close();
    },
    destroyAll() {
      for (const session of connections.keys()) session.destroy();
    },
  };
}

/** Probes a session for as long as it lives, and ends it when an answer stays out. Returns what stops that. */
function keepAlive(options: {
  readonly session: Http2Session;
  readonly socket: Socket;
  readonly liveness: Liveness;
  readonly clock: Clock;
}): () => void {
  const { session, socket, liveness, clock } = options;
  let cancel: () => void;

  const end = () => {
    // First the socket: a session that is destroyed resets its streams, and a client that still hears would take that for an
    // answer, not for a lost connection. It would also wait for its last bytes to leave, and they may never do.
    socket.destroy();
    session.destroy();
  };
  // After a pause of this process its timers come before its sockets: an answer that came meanwhile is read first.
  const endUnlessRead = () => {
    cancel = clock.schedule(clock.now(), false, end);
  };
  const probe = () => {
    cancel = clock.schedule(clock.now() + liveness.keepaliveTimeout, false, endUnlessRead);
    if (session.destroyed) end();
    // Once GOAWAY was sent or came, Node sends no pings any more, though streams may go on for long. The peer must
    // answer settings, too.
    else if (session.closed) session.settings({}, onAnswer);
    else if (!session.ping(onAnswer)) end();
  };
  const onAnswer = (error: Error | null) => {
    cancel();
    if (error === null) wait();
  };
  const wait = () => {
    cancel = clock.schedule(clock.now() + liveness.keepaliveTime, false, probe);
  };
  wait();
  return () => cancel();
}
