/** HTTP/2 as both ports serve it: what a connection may do, whether it lives, and how it is sent away. */

import { constants, type Http2Server, type Http2Session, type ServerHttp2Stream, type ServerOptions } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { StreamEnd } from "../../service/rpc.ts";
import type { Liveness, TransportLimits } from "../port/options.ts";
import { endWithCertificate } from "./certificate-end.ts";
import { createSessionKeeper } from "./session-keeper.ts";
import { createStreamPlaces, type StreamPlaces } from "./stream-places.ts";

/**
 * Cancels that one connection may send: so many at once, and so many a second for ever. Node's own bounds (1,000 and
 * 33) end the connection, with every lease on it, of a client that gives its leases back by cancelling; a flood of
 * resets is still soon over.
 */
const RESET_BURST = 4_000;
const RESET_RATE = 1_000;
/**
 * Streams open at once beside those that wait, hold or watch; one beyond is refused with REFUSED_STREAM. They are short
 * calls, and requests that are not complete.
 */
const SHORT_CALLS = 4_000;
/**
 * What HTTP/2 enforces lies so much higher. nghttp2 ends the connection, with every lease on it, of a client that goes
 * beyond, and Node counts a stream that was cancelled until some turns of the event loop later.
 */
const MARGIN = 1_000;
/** Streams of health and reflection on one connection. */
const ASIDE = 32;
/** How a client of this package reads `max_streams_per_connection`, in a SETTINGS parameter of the experimental range. */
const MAX_STREAMS_SETTING = 0xf0b5;
/**
 * Streams beyond what HTTP/2 enforces that one connection may try to open in its life. Node ends a connection after 100.
 */
const REJECTED_STREAMS = 2 ** 32 - 1;
/** µs in which a client hears that it is sent away. */
const LAST_WORDS = 50_000;
/** MB that Node may buffer for one connection; its own 10 are too few for a thousand streams. */
const SESSION_MEMORY = 64;

export function http2Options(limits: TransportLimits): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.maxStreamsPerConnection + SHORT_CALLS + MARGIN,
      customSettings: { [MAX_STREAMS_SETTING]: limits.maxStreamsPerConnection },
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
  /** Over TLS with the client's certificate. */
  readonly socket: Socket;
  /** Why a stream of this connection that has just ended did so. */
  howStreamEnded(): StreamEnd;
  /** Counts a stream of it until it is closed. False: it has too many, and refuses this one. */
  count(stream: ServerHttp2Stream): boolean;
  /** Where its streams that last find places; `aside`: those of health and reflection. */
  places(aside: boolean): StreamPlaces;
}

export interface Http2Sessions {
  of(session: Http2Session): Http2Connection | undefined;
  /** Sends GOAWAY to all: no new streams, and a connection ends with its last one. */
  drain(): void;
  /** Sends GOAWAY over a connection and ends it, so that what is held over it is lost to its client. False: it is none of HTTP/2. */
  sendAway(socket: Socket): boolean;
  /** Ends all connections, after what was written to them. */
  destroyAll(): void;
}

export function createHttp2Sessions(options: {
  readonly server: Http2Server;
  readonly limits: TransportLimits;
  readonly liveness: Liveness;
  readonly clock: Clock;
}): Http2Sessions {
  const { server, limits, liveness, clock } = options;
  const connections = new Map<Http2Session, Http2Connection>();
  const sessionsOf = new WeakMap<Socket, Http2Session>();

  const keeper = createSessionKeeper();
  // Node makes the session while it hands out the socket, so the latest socket is that of the new session.
  let arriving: Socket | undefined;
  server.prependListener("connection", (socket: Socket) => {
    arriving = socket;
  });
  server.on("session", (session: Http2Session) => {
    const socket = arriving;
    if (socket === undefined) return;
    let open = 0;
    const onStreamClose = () => {
      open -= 1;
    };
    const held = createStreamPlaces(limits.maxStreamsPerConnection, clock);
    const aside = createStreamPlaces(ASIDE, clock);
    const connection: Http2Connection = {
      peer: `${socket.remoteAddress}:${socket.remotePort}`,
      socket,
      // A stream is reset with the same code by its client and by the loss of its connection. The session tells them
      // apart, not the socket: at a failed ping, or a GOAWAY with an error, the session is destroyed first.
      howStreamEnded: () => (session.destroyed || socket.destroyed ? "lost" : "cancelled"),
      count(stream) {
        if (open >= limits.maxStreamsPerConnection + SHORT_CALLS) {
          refuseStream(stream, constants.NGHTTP2_REFUSED_STREAM);
          return false;
        }
        open += 1;
        stream.on("close", onStreamClose);
        return true;
      },
      places: (isAside) => (isAside ? aside : held),
    };
    connections.set(session, connection);
    sessionsOf.set(socket, session);
    keeper.watch(session);
    const end = () => endAsLost(session, socket);
    const stopProbes = keepAlive({ session, end, liveness, clock });
    const stopWaiting = endWithCertificate({ session, socket, clock, end });
    session.once("close", () => {
      stopProbes();
      stopWaiting();
      connections.delete(session);
    });
  });
  server.on("sessionError", (_error: Error, session: Http2Session) => session.destroy());

  return {
    of: (session) => connections.get(session),
    drain() {
      for (const session of connections.keys()) session.close();
    },
    sendAway(socket) {
      const session = sessionsOf.get(socket);
      if (session === undefined) return false;
      session.close();
      clock.schedule(clock.now() + LAST_WORDS, false, () => endAsLost(session, socket));
      return true;
    },
    destroyAll() {
      for (const session of connections.keys()) session.destroy();
    },
  };
}

/** Ends a stream that is not begun; it alone is lost. */
export function refuseStream(stream: ServerHttp2Stream, code: number): void {
  // An error without a listener would end the process.
  stream.on("error", () => {});
  stream.close(code);
}

/** Ends a connection without a word, so that no client takes it for the end of what it holds. */
function endAsLost(session: Http2Session, socket: Socket): void {
  // First the socket: a session that is destroyed resets its streams, and a client that still hears would take that for an
  // answer, not for a lost connection. It would also wait for its last bytes to leave, and they may never do.
  socket.destroy();
  session.destroy();
}

/** Probes a session for as long as it lives, and ends it when an answer stays out. Returns what stops that. */
function keepAlive(options: {
  readonly session: Http2Session;
  readonly end: () => void;
  readonly liveness: Liveness;
  readonly clock: Clock;
}): () => void {
  const { session, end, liveness, clock } = options;
  let cancel: () => void;

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
