/** Pings a connection while calls are open on it, and before one after a silence; cuts it when a ping stays unanswered. */

import type { ClientHttp2Session } from "node:http2";
import { type Clock, elapsed } from "../rpc/clock.ts";

export interface KeepAlive {
  /** A call is open: pings go out until there is none. */
  wake(): void;
  /** Something came over the connection. */
  heard(): void;
  /** Resolves as soon as the connection was heard of within an interval, which may take a ping, or is lost. */
  check(): Promise<void>;
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
  let heardAt = clock.now();
  /** Resolves when the ping that is on its way is answered, or never will be. */
  let pinging: Promise<void> | undefined;

  function later(): void {
    callOff = clock.scheduleInBackground(interval, () => {
      callOff = undefined;
      if (!isLost() && isBusy()) ping();
    });
  }

  function isLost(): boolean {
    return session.destroyed || session.closed;
  }

  function heard(): void {
    heardAt = clock.now();
  }

  function ping(): Promise<void> {
    callOff?.();
    callOff = clock.scheduleInBackground(timeout, overdue);
    const { promise, resolve } = Promise.withResolvers<void>();
    pinging = promise;
    // Node calls back with an error when it gives up the connection.
    session.ping((error) => {
      callOff?.();
      callOff = undefined;
      pinging = undefined;
      if (error === null) {
        heard();
        later();
      }
      resolve();
    });
    return promise;
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
    heard,
    async check() {
      if (isLost() || elapsed(heardAt, clock.now()) <= interval) return;
      // The session manager lets a process end over an idle connection, but a call waits for this one. It does so again
      // after the call.
      session.ref();
      await (pinging ?? ping());
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
    // It has no socket any more.
    session.destroy();
  }
}
