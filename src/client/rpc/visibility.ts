/** Whether the page of a client is there. A page that goes away asks for nothing: no holder would be left for it. */

import type { Clock } from "./clock.ts";
import { linkSignals, unlessAborted } from "./linked-signal.ts";
import type { Page } from "./page.ts";

export interface Visibility {
  /** Undefined while the page is there; else resolves when it has come back, or rejects with the signal's reason. */
  untilShown(signal: AbortSignal): Promise<void> | undefined;
  /** Begins something that ends with the present visit of the page, or when `signal` aborts. */
  enter(signal: AbortSignal): Visit;
  /** Monotonic ms, without those for which the page was away. */
  now(): number;
  stop(): void;
}

/** The time from when a page is shown to when it goes away, for one that asks something meanwhile. */
export interface Visit {
  /** Aborts when the given signal does, with its reason, or when the page goes away, with a `ServerUnavailableError`. */
  readonly signal: AbortSignal;
  /** Whether the page has gone away since, even if it has come back. */
  readonly isOver: boolean;
  /** Follows the given signal and the page no more. */
  leave(): void;
}

export interface VisibilityOptions {
  readonly clock: Clock;
  /** Undefined where there are no pages, as in Node or a worker: there all is one visit. */
  readonly page: Page | undefined;
  /** Called whenever the page goes away, before what is asked in it ends. */
  readonly onHide: (page: Page) => void;
  /** What is asked in a page that goes away ends with this. */
  readonly leftError: () => Error;
}

export function createVisibility({ clock, page, onHide, leftError }: VisibilityOptions): Visibility {
  let shown: PromiseWithResolvers<void> | undefined;
  let hidden = new AbortController();
  /** In monotonic ms: when the page went away the last time, and how long it was away before that. */
  let hiddenAt = 0;
  let away = 0;

  function hide(left: Page): void {
    if (shown !== undefined) return;
    shown = Promise.withResolvers();
    hiddenAt = clock.now().monotonic;
    onHide(left);
    hidden.abort(leftError());
  }

  function show(): void {
    if (shown === undefined) return;
    away += clock.now().monotonic - hiddenAt;
    hidden = new AbortController();
    shown.resolve();
    shown = undefined;
  }

  const stops = page === undefined ? [] : [page.onHide(() => hide(page)), page.onShow(show)];
  return {
    untilShown: (signal) => shown && unlessAborted(shown.promise, signal),
    enter(given) {
      const { signal: left } = hidden;
      const { signal, unlink } = linkSignals(given, left);
      return {
        signal,
        get isOver() {
          return left.aborted;
        },
        leave: unlink,
      };
    },
    now: () => (shown === undefined ? clock.now().monotonic : hiddenAt) - away,
    stop() {
      for (const stop of stops) stop();
    },
  };
}

/**
 * Does its work within the present visit of the page, and anew within the next as often as the page goes away meanwhile,
 * which calls `onLeft`. Rejects with the signal's reason, or whatever else the work ends with.
 */
export async function inVisits<T>(
  { visibility, signal }: { readonly visibility: Visibility; readonly signal: AbortSignal },
  work: (visit: Visit) => Promise<T>,
  onLeft: () => void,
): Promise<T> {
  for (;;) {
    await visibility.untilShown(signal);
    signal.throwIfAborted();
    const visit = visibility.enter(signal);
    try {
      return await work(visit);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!visit.isOver) throw error;
      onLeft();
    } finally {
      visit.leave();
    }
  }
}
