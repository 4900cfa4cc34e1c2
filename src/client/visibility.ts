/** Whether the page of a client is there. A page that goes away asks for nothing: no holder would be left for it. */

import type { Page } from "./ports.ts";

export interface Visibility {
  /** Undefined while the page is there; else resolves when it has come back, or rejects when the signal aborts, which it has not yet. */
  untilShown(signal: AbortSignal): Promise<void> | undefined;
  stop(): void;
}

/** Calls `onHide` whenever the page goes away. Without a page, as in Node or a worker, it is always there. */
export function createVisibility(page: Page | undefined, onHide: (page: Page) => void): Visibility {
  if (page === undefined) return { untilShown: () => undefined, stop() {} };
  let shown: PromiseWithResolvers<void> | undefined;
  const stops = [
    page.onHide(() => {
      shown ??= Promise.withResolvers();
      onHide(page);
    }),
    page.onShow(() => {
      shown?.resolve();
      shown = undefined;
    }),
  ];
  return {
    untilShown: (signal) => shown && unlessAborted(shown.promise, signal),
    stop() {
      for (const stop of stops) stop();
    },
  };
}

function unlessAborted(shown: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    void shown.then(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
  });
}
