/** Tells the log, once a minute, which bounds of the server have made it refuse requests. */

import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { reasonOf, type WireError } from "../wire/error-wire.ts";

export interface Overloads {
  /** A request is refused with this error. */
  refused(error: WireError): void;
}

/** Bounds that an operator has set, or could. What a limiter refuses by its rate or its permits is its task, and no overload. */
const BOUNDS: ReadonlySet<string | undefined> = new Set([
  ...["QUEUE_FULL", "KEYS_EXHAUSTED", "BOARD_FULL", "TOO_MANY_LIMITERS", "TOO_MANY_BOARDS", "TOO_MANY_STREAMS"],
  ...["TOO_MANY_COMMANDS", "NOT_KEPT", "ENGINE_UNAVAILABLE"],
]);

/** µs between two lines. */
const QUIET_TIME = 60_000_000;

export function createOverloads(clock: Pick<Clock, "now">, log: Log): Overloads {
  let counts: Record<string, number> = {};
  let quietUntil = Number.NEGATIVE_INFINITY;
  return {
    refused(error) {
      const reason = reasonOf(error);
      if (reason === undefined || !BOUNDS.has(reason)) return;
      counts[reason] = (counts[reason] ?? 0) + 1;
      if (clock.now() < quietUntil) return;
      quietUntil = clock.now() + QUIET_TIME;
      log.warn(
        { event: "overload", refused: counts },
        `requests are refused since a bound is reached, the last one because ${error.message}; this is said once a minute`,
      );
      counts = {};
    },
  };
}
