/** How many streams are open at once, where that has a bound. */

import { TooManyStreamsError } from "./errors.ts";

export interface Streams {
  /** Takes a place, or throws a `TooManyStreamsError`; returns what gives it back, once. */
  take(): () => void;
}

export function createStreams(maxStreams = Number.POSITIVE_INFINITY): Streams {
  let open = 0;
  return {
    take() {
      if (open >= maxStreams) throw new TooManyStreamsError(maxStreams);
      open += 1;
      let taken = true;
      return () => {
        if (taken) open -= 1;
        taken = false;
      };
    },
  };
}
