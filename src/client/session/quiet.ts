/** What a session does while little or nothing is asked in it. */

import type { Clock } from "../rpc/clock.ts";

export interface Quiet {
  /** Something has changed. `isEmpty`: the session is open, and has nothing in it. */
  look(now: { readonly isAtRest: boolean; readonly isEmpty: boolean }): void;
  /** The session's call is open. */
  opened(): void;
  /** The client has sent something. */
  sent(): void;
  stop(): void;
}

export interface QuietOptions {
  readonly clock: Clock;
  /** Called when nothing is waited for and no stream is open, and when that is over. */
  readonly onRest: (isAtRest: boolean) => void;
  /** Called when the session has been empty for a while. */
  readonly onIdle: () => void;
  /** Called when the client has sent nothing for a while. Returns whether the session is open. */
  readonly beat: () => boolean;
}

/** ms for which an empty session is kept open. */
const IDLE_FOR = 10_000;
/** ms after which a silent client says something: proxies end a call whose client sends nothing for long, often for a minute. */
const BEAT = 20_000;

export function createQuiet({ clock, onRest, onIdle, beat }: QuietOptions): Quiet {
  let wasAtRest = true;
  /** Monotonic ms; undefined: it is not idle. */
  let idleSince: number | undefined;
  let sentAt = 0;
  // A timer is set once and not for each quiet moment: a client may have thousands of them a second.
  const idleTimer = createTimer(clock, () => {
    if (idleSince === undefined) return undefined;
    const left = idleSince + IDLE_FOR - clock.now().monotonic;
    if (left > 0) return left;
    idleSince = undefined;
    onIdle();
    return undefined;
  });
  const beatTimer = createTimer(clock, () => {
    const left = sentAt + BEAT - clock.now().monotonic;
    if (left > 0) return left;
    return beat() ? BEAT : undefined;
  });

  return {
    look({ isAtRest, isEmpty }) {
      if (isAtRest !== wasAtRest) {
        wasAtRest = isAtRest;
        onRest(isAtRest);
      }
      if (!isEmpty) {
        idleSince = undefined;
      } else if (idleSince === undefined) {
        idleSince = clock.now().monotonic;
        idleTimer.arm(IDLE_FOR);
      }
    },
    opened: () => beatTimer.arm(BEAT),
    sent() {
      sentAt = clock.now().monotonic;
    },
    stop() {
      idleTimer.stop();
      beatTimer.stop();
    },
  };
}

/** A timer that is set where it is not; `fire` returns the ms until it fires again, if it does. */
function createTimer(clock: Clock, fire: () => number | undefined) {
  let callOff: (() => void) | undefined;
  function arm(delay: number): void {
    callOff ??= clock.scheduleInBackground(delay, () => {
      callOff = undefined;
      const next = fire();
      if (next !== undefined) arm(next);
    });
  }
  return {
    arm,
    stop() {
      callOff?.();
      callOff = undefined;
    },
  };
}
