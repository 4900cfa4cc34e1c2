/**
 * What streams pass before they are begun: not more headers than may be, not more at a time than is fair, and what their
 * port asks of them.
 */

import {
  constants,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Clock } from "../../clock.ts";
import { Code } from "../../wire/error-wire.ts";
import type { RefusedCall } from "../rpc/dispatch.ts";
import { type Http2Sessions, refuseStream } from "./sessions.ts";

/** Streams that one session may have handed on in one turn of the event loop; what comes beyond waits for the next. */
const STREAMS_A_TURN = 100;

/** With the codes that gRPC makes of the resets with which such streams end. */
const METADATA_TOO_LARGE = {
  code: Code.ResourceExhausted,
  message: "its metadata is larger than max_metadata_bytes",
};
const TOO_MANY_OPEN = { code: Code.Unavailable, message: "its connection has too many streams open" };

type Arrival = [stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]];

/**
 * Stands before all listeners that `server` has for its streams.
 *
 * Node reads up to 2 MB of one socket in one turn, so thousands of calls with their resets behind them come at once. If
 * each were begun, one client would keep all others waiting for a second or two; a turn later most of them are known to
 * be closed, and are forgotten. A client that opens a thousand streams and uses them waits for that turn and no longer.
 */
export function spreadStreams(options: {
  readonly server: Http2Server;
  readonly sessions: Http2Sessions;
  /** A stream was reset, for what it is one too many of. */
  readonly onRefused: (headers: IncomingHttpHeaders, no: RefusedCall) => void;
  readonly maxMetadataBytes: number;
  readonly clock: Clock;
  /**
   * Sees each stream that has its turn, before all listeners, and may change its headers. False: the stream is answered, and
   * the listeners do not see it. A promise: it waits, unless it ends meanwhile.
   */
  readonly before: (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
  ) => boolean | Promise<boolean>;
}): void {
  const { server, sessions, onRefused, maxMetadataBytes, clock, before } = options;
  const listeners = server.listeners("stream");
  server.removeAllListeners("stream");
  const pass = (arrival: Arrival) => {
    for (const listener of listeners) listener.apply(server, arrival);
  };
  const handOn = (arrival: Arrival) => {
    const [stream, headers, flags] = arrival;
    const goesOn = before(stream, headers, flags);
    if (goesOn === true) pass(arrival);
    if (typeof goesOn === "boolean") return;
    // An error without a listener would end the process.
    stream.on("error", () => {});
    void goesOn.then((may) => {
      if (may && !stream.closed && !stream.destroyed) pass(arrival);
    });
  };

  let opened = new Map<Http2Session | undefined, number>();
  let late: Arrival[] = [];
  let isTurning = false;
  const endTurn = () => {
    opened = new Map();
    const arrivals = late;
    late = [];
    for (const arrival of arrivals) if (!arrival[0].closed && !arrival[0].destroyed) enter(arrival);
    isTurning = late.length > 0;
    if (isTurning) clock.schedule(clock.now(), false, endTurn);
  };
  /** Hands the stream on now (true), or in one of the next turns, after those that came before it. */
  const enter = (arrival: Arrival): boolean => {
    const { session } = arrival[0];
    const count = (opened.get(session) ?? 0) + 1;
    opened.set(session, count);
    const isNow = count <= STREAMS_A_TURN;
    if (isNow) handOn(arrival);
    else late.push(arrival);
    return isNow;
  };

  server.on("stream", (...arrival: Arrival) => {
    const [stream, headers, , rawHeaders] = arrival;
    // Node holds a client to the limit from when it has confirmed our settings, which it need never do.
    if (stream.session?.pendingSettingsAck && sizeOf(rawHeaders) > maxMetadataBytes) {
      refuseStream(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      onRefused(headers, METADATA_TOO_LARGE);
      return;
    }
    if (stream.session && sessions.of(stream.session)?.count(stream) === false) {
      onRefused(headers, TOO_MANY_OPEN);
      return;
    }
    if (!isTurning) {
      isTurning = true;
      clock.schedule(clock.now(), false, endTurn);
    }
    // An error without a listener would end the process.
    if (!enter(arrival)) stream.on("error", () => {});
  });
}

/** As HTTP/2 counts. */
function sizeOf(rawHeaders: readonly string[]): number {
  let size = 0;
  for (const text of rawHeaders) size += text.length + 16;
  return size;
}
