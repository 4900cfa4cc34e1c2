/** Pings a connection while calls are open on it, and cuts it when a ping stays unanswered. */

import type { ClientHttp2Session } from "node:http2";
import type { Clock } from "./clock.ts";

export interface KeepAlive {
  /** A call is open: pings go out until there is none. */
  wake(): void;
}

export interface KeepAliveOptions {
  readonly clock: Clock;
  /** ms between two pings. */
  readonly interval: number;
  /** ms for the answer to one. */
  readonly timeout: number;
  readonly isBusy: () => boolean;
}

export function keepAlive(session: ClientHttp2Session, options: KeepAliveOptions): KeepAlive {
  const { clock, interval, timeout, isBusy } = options;
  let callOff: (() => void) | undefined;

  function later(): void {
    callOff = clock.scheduleInBackground(interval, ping);
  }

  function ping(): void {
    callOff = undefined;
    if (session.destroyed || session.closed || !isBusy()) return;
    callOff = clock.scheduleInBackground(timeout, overdue);
    session.ping((error) => {
      callOff?.();
      callOff = undefined;
      if (error === null) later();
    });
  }

  /** A process that was stopped finds its timers due before it reads what came meanwhile: the answer has one more turn. */
  function overdue(): void {
    callOff = clock.scheduleInBackground(0, () => cut(session));
  }

  session.once("close", () => callOff?.());
  return {
    wake() {
      if (callOff === undefined) later();
    },
  };
}

/**
 * Without a word: a session that Node destroys resets its streams first, and a server that still hears would take that for
 * cancels and give the leases to others, while their holders have not noticed anything.
 */
function cut(session: ClientHttp2Session): void {
  try {
    session.socket.resetAndDestroy();
  } catch {
    // Over TLS a socket cannot be reset.
    session.destroy();
  }
}
