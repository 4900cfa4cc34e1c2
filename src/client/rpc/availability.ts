/**
 * A circuit breaker: remembers that the server was found unavailable, so that an outage costs one call now and then and
 * not each. It decides by instants that it is given, and sets no timer: the next call that comes when a probe is due is the
 * probe.
 */

import { AdmissionError, ServerError, ServerUnavailableError } from "../api/errors.ts";
import type { AvailabilityNews } from "../api/events.ts";

/** Monotonic ms. */
type Instant = number;

type State =
  | { readonly kind: "closed" }
  /** Calls fail at once, but one from `probeAt` on, which is the probe. */
  | { readonly kind: "open"; readonly outage: Outage; readonly probeAt: Instant }
  /** One call is asking the server; the others fail at once. */
  | { readonly kind: "probing"; readonly outage: Outage };

interface Outage {
  readonly since: Instant;
  /** What the last call that was made ended with. */
  readonly error: ServerUnavailableError;
  /** Calls, in a row, that have found no server. */
  readonly failures: number;
}

export interface AvailabilityOptions {
  readonly now: () => Instant;
  /** ms from the `failures`th failure in a row (from 1) to the next probe. */
  readonly probeDelay: (failures: number) => number;
  readonly onNews: (news: AvailabilityNews) => void;
}

/** One call, from before it is made to its end. */
export interface Passage {
  /** Whether it is the one call that asks whether the server is back: it is made once, and not again. */
  readonly isProbe: boolean;
  /** It is being sent, perhaps not for the first time. */
  sent(): void;
  /** It has ended with this error for good; undefined: its caller wants it no more. After an answer, harmless. */
  failed(error?: unknown): void;
}

export interface Availability {
  /** Whether the server was found unavailable, and has not answered since. */
  readonly isAway: boolean;
  /** Lets a call pass; throws a `ServerUnavailableError` while the server is known to be away and no probe is due. */
  enter(): Passage;
  /** The server has answered something, whatever it was and whichever call had asked. */
  heard(): void;
}

export function createAvailability({ now, probeDelay, onNews }: AvailabilityOptions): Availability {
  let state: State = { kind: "closed" };
  let heardAt = Number.NEGATIVE_INFINITY;

  function open(outage: Outage): void {
    state = { kind: "open", outage, probeAt: now() + probeDelay(outage.failures) };
  }

  function heard(): void {
    heardAt = now();
    if (state.kind === "closed") return;
    const { since } = state.outage;
    state = { kind: "closed" };
    onNews({ kind: "outage-ended", lasted: heardAt - since });
  }

  function unavailable(sentAt: Instant, isProbe: boolean, error: ServerUnavailableError): void {
    if (isProbe) {
      if (state.kind === "probing") open({ ...state.outage, error, failures: state.outage.failures + 1 });
      return;
    }
    // A call that got no answer while others did says nothing of the server.
    if (state.kind !== "closed" || heardAt > sentAt) return;
    open({ since: sentAt, error, failures: 1 });
    onNews({ kind: "outage-began", error });
  }

  return {
    get isAway() {
      return state.kind !== "closed";
    },

    enter() {
      const isProbe = state.kind === "open" && now() >= state.probeAt;
      if (state.kind === "open" && isProbe) state = { kind: "probing", outage: state.outage };
      else if (state.kind !== "closed") throw awayError(state, now());
      let sentAt = now();
      let isOver = false;
      return {
        isProbe,
        sent() {
          sentAt = now();
        },
        failed(error) {
          if (isOver) return;
          isOver = true;
          if (error instanceof ServerUnavailableError) unavailable(sentAt, isProbe, error);
          else if (error instanceof AdmissionError || error instanceof ServerError) heard();
          // A probe that was called off has found out nothing: the next call is another.
          else if (isProbe && state.kind === "probing") state = { ...state, kind: "open", probeAt: now() };
        },
      };
    },

    heard,
  };
}

function awayError(state: Exclude<State, { readonly kind: "closed" }>, now: Instant): ServerUnavailableError {
  const { error } = state.outage;
  const retryAfterMs = state.kind === "open" ? Math.max(0, Math.ceil(state.probeAt - now)) : undefined;
  const next = retryAfterMs === undefined ? "another call is asking it now" : `it is asked again in ${retryAfterMs} ms`;
  return new ServerUnavailableError(error.address, `found unavailable before: ${error.detail}; ${next}`, {
    advice: error.advice,
    cause: error.cause ?? error,
    retryAfterMs,
  });
}
