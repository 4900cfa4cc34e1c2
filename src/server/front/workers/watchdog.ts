/** Notices a thread that lives and does nothing: it is asked again and again whether it is there. */

import type { Clock } from "../../clock.ts";

export interface WatchdogOptions {
  readonly clock: Clock;
  /** Resolves when the thread answers; rejects when it has ended. */
  readonly ask: () => Promise<unknown>;
  /** Called once. */
  readonly onHang: () => void;
}

/** µs between two looks. */
const LOOK = 1_000_000;
/** So many looks in a row find no answer: more than a collection of garbage takes, or a thread that others keep from its core. */
const PATIENCE = 10;

/** µs after which a thread that says nothing is taken for one that hangs. */
export const HANGS_AFTER = LOOK * PATIENCE;

/** Returns what ends it. */
export function startWatchdog({ clock, ask, onHang }: WatchdogOptions): () => void {
  let isAsked = false;
  // Counted in looks of this thread: while the whole process stands still, nothing is held against the other.
  let unanswered = 0;
  let isOver = false;
  let cancel = schedule();

  function schedule(): () => void {
    return clock.schedule(clock.now() + LOOK, false, look);
  }

  function look(): void {
    if (isAsked) unanswered += 1;
    else put();
    if (unanswered < PATIENCE) {
      cancel = schedule();
      return;
    }
    isOver = true;
    onHang();
  }

  function put(): void {
    isAsked = true;
    unanswered = 0;
    ask().then(
      () => {
        isAsked = false;
        unanswered = 0;
      },
      () => {},
    );
  }

  return () => {
    if (!isOver) cancel();
    isOver = true;
  };
}
