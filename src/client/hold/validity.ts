/**
 * How long a holder may rely on its lease: a span that the server names, counted on the holder's own clocks from the
 * moment when it *sent* the request that was confirmed. What the server heard later, it waits for longer; so however
 * slow the network was, the holder stops before the server gives the permits away.
 */

import { type Clock, elapsed, type Moment } from "../rpc/clock.ts";

/** A confirmation: good for `validFor` ms from `sentAt`. */
export interface Confirmed {
  readonly sentAt: Moment;
  readonly validFor: number;
}

export interface Validity {
  /** Counts from this confirmation, if it lasts longer than the one before. */
  confirm(confirmed: Confirmed): void;
  /** ms that are left; 0 or less: none. */
  remaining(): number;
  /** Tells no more. */
  stop(): void;
}

/** ms that are left of a confirmation. */
export function remainingOf({ sentAt, validFor }: Confirmed, clock: Clock): number {
  return validFor - elapsed(sentAt, clock.now());
}

/** `onRunOut` is called as soon as a timer finds nothing left. */
export function createValidity(clock: Clock, first: Confirmed, onRunOut: () => void): Validity {
  let confirmed = first;
  let disarm = () => {};
  const remaining = () => remainingOf(confirmed, clock);

  function watch(): void {
    const left = remaining();
    // A timer may be early by a fraction of a millisecond, and late by all that a frozen process missed.
    if (left > 0) disarm = clock.scheduleInBackground(left, watch);
    else onRunOut();
  }

  watch();
  return {
    confirm(next) {
      if (remainingOf(next, clock) <= remaining()) return;
      confirmed = next;
      disarm();
      watch();
    },
    remaining,
    stop: () => disarm(),
  };
}
