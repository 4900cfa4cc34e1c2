/** Closes HTTP/2 streams whose request never comes to an end, which neither library does. */

import { constants, type ServerHttp2Stream } from "node:http2";
import type { Clock } from "../../clock.ts";

export interface RequestGuard {
  /**
   * The client has `REQUEST_TIMEOUT` to finish its request, unless that may go on for ever (`openEnded`), and
   * `ANSWERED_TIMEOUT` from the end of the response on.
   */
  watch(stream: ServerHttp2Stream, openEnded: boolean): void;
  close(): void;
}

/** µs that a request of one message may take to arrive. */
export const REQUEST_TIMEOUT = 15_000_000;
/** µs that a request may go on after its response, such as one whose message is too large. */
export const ANSWERED_TIMEOUT = 1_000_000;

/**
 * A call of one message is handed to its service only when that is complete, so a stream that is closed here holds no
 * lease. After a complete response NO_ERROR tells the client to stop sending (RFC 9113, 8.1); the response stands.
 */
export function createRequestGuard(clock: Clock): RequestGuard {
  const arriving = createDeadlines(clock, REQUEST_TIMEOUT, constants.NGHTTP2_CANCEL);
  const answered = createDeadlines(clock, ANSWERED_TIMEOUT, constants.NGHTTP2_NO_ERROR);

  // One function for all streams: this is on the path of every call.
  function onEnd(this: ServerHttp2Stream) {
    arriving.delete(this);
    answered.delete(this);
  }
  function onAnswered(this: ServerHttp2Stream) {
    if (this.readableEnded || this.destroyed) return;
    arriving.delete(this);
    answered.add(this);
  }

  // Nearly all requests are complete within the turn in which they begin, and cost no listeners.
  let fresh: { readonly stream: ServerHttp2Stream; readonly openEnded: boolean }[] = [];
  function watchFresh() {
    const begun = fresh;
    fresh = [];
    for (const { stream, openEnded } of begun) if (!stream.readableEnded && !stream.destroyed) watch(stream, openEnded);
  }
  function watch(stream: ServerHttp2Stream, openEnded: boolean) {
    if (stream.writableFinished) answered.add(stream);
    else if (!openEnded) arriving.add(stream);
    stream.once("end", onEnd);
    // One that was reset has no end, and a flood of them would be kept for all that time.
    stream.once("close", onEnd);
    stream.once("finish", onAnswered);
  }

  return {
    watch(stream, openEnded) {
      if (fresh.length === 0) setImmediate(watchFresh);
      fresh.push({ stream, openEnded });
    },
    close() {
      arriving.close();
      answered.close();
    },
  };
}

interface Deadlines {
  add(stream: ServerHttp2Stream): void;
  delete(stream: ServerHttp2Stream): void;
  close(): void;
}

/** Closes each stream with `code` that is still in here after `timeout`. */
function createDeadlines(clock: Clock, timeout: number, code: number): Deadlines {
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
      if (!stream.destroyed) stream.close(code);
    }
    arm();
  };
  return {
    add(stream) {
      deadlines.set(stream, clock.now() + timeout);
      if (disarm === undefined) arm();
    },
    delete: (stream) => deadlines.delete(stream),
    close() {
      deadlines.clear();
      disarm?.();
    },
  };
}
