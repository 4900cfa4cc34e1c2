/** Closes HTTP/2 streams whose request never comes to an end, which neither library does. */

import { constants, type ServerHttp2Stream } from "node:http2";
import type { Clock } from "../clock.ts";

export interface RequestGuard {
  /**
   * The client has `REQUEST_TIMEOUT` to finish its request, from now on; where the request may go on for ever
   * (`openEnded`), from the end of the response on.
   */
  watch(stream: ServerHttp2Stream, openEnded: boolean): void;
  close(): void;
}

/** µs that a request of one message may take to arrive. */
export const REQUEST_TIMEOUT = 15_000_000;

/**
 * A call of one message is handed to its service only when that is complete, so what is closed here is no stream that
 * anybody holds a lease with. Streams that were answered too early (a message too large) end here too.
 */
export function createRequestGuard(clock: Clock): RequestGuard {
  // All have the same time, so the order of arrival is the order of deadlines.
  const deadlines = new Map<ServerHttp2Stream, number>();
  let disarm: (() => void) | undefined;

  const arm = () => {
    const [first] = deadlines.values();
    disarm = first === undefined ? undefined : clock.schedule(first, false, closeOverdue);
  };
  const closeOverdue = () => {
    const now = clock.now();
    for (const [stream, deadline] of deadlines) {
      if (deadline > now) break;
      deadlines.delete(stream);
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
    }
    arm();
  };
  // One function for all streams: this is on the path of every call.
  function onEnd(this: ServerHttp2Stream) {
    deadlines.delete(this);
  }

  const watch = (stream: ServerHttp2Stream) => {
    if (stream.readableEnded) return;
    deadlines.set(stream, clock.now() + REQUEST_TIMEOUT);
    stream.once("end", onEnd);
    // One that was reset has no end, and a flood of them would be kept for all that time.
    stream.once("close", onEnd);
    if (disarm === undefined) arm();
  };

  return {
    watch(stream, openEnded) {
      if (openEnded) stream.once("finish", () => watch(stream));
      else watch(stream);
    },
    close() {
      deadlines.clear();
      disarm?.();
    },
  };
}
