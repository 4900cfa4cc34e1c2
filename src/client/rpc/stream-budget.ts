/** How many streams are open at once, where that has a bound. */

import { TooManyStreamsError } from "../api/errors.ts";

export interface Streams {
  /** Takes a place, or throws a `TooManyStreamsError` when this client has as many streams open as it may. */
  take(): StreamPlace;
}

/** The right to one open stream. */
export interface StreamPlace {
  /**
   * Resolves when the stream may be opened; rejects with a `TooManyStreamsError` when others that share its connections,
   * other tabs, have taken all places. Undefined: it may be opened at once.
   */
  readonly ready: Promise<void> | undefined;
  /** Gives the place back; harmless a second time. */
  leave(): void;
}

/** Places that several clients share. */
export interface SharedPlaces {
  /** Resolves with what gives the place back; undefined: all are taken. */
  take(): Promise<(() => void) | undefined>;
}

export function createStreams(maxStreams = Number.POSITIVE_INFINITY, shared?: SharedPlaces): Streams {
  let open = 0;

  function takeShared(places: SharedPlaces): StreamPlace {
    let isLeft = false;
    let giveBack: (() => void) | undefined;
    const ready = places.take().then((taken) => {
      if (taken === undefined) throw new TooManyStreamsError(maxStreams);
      giveBack = taken;
      if (isLeft) taken();
    });
    // A place that is left before it is had is awaited by no caller.
    ready.catch(() => {});
    return {
      ready,
      leave() {
        isLeft = true;
        giveBack?.();
      },
    };
  }

  return {
    take() {
      if (open >= maxStreams) throw new TooManyStreamsError(maxStreams);
      open += 1;
      const place = shared && takeShared(shared);
      let taken = true;
      return {
        ready: place?.ready,
        leave() {
          if (!taken) return;
          taken = false;
          open -= 1;
          place?.leave();
        },
      };
    },
  };
}
