/** One signal of several. */

export interface Linked {
  /** Aborts as soon as one of the signals does, with its reason. */
  readonly signal: AbortSignal;
  /** Aborts it, whatever the others do. */
  abort(): void;
  /** Listens no more: the signals may live much longer. */
  unlink(): void;
}

/** The reason of every `abort()`: one for all, since a `DOMException` takes its stack when it is made, at 20 µs a time. */
const DONE = new DOMException("nothing more is wanted of it", "AbortError");

export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): Linked {
  const controller = new AbortController();
  const links = signals.flatMap((signal) => {
    if (signal === undefined) return [];
    const follow = () => controller.abort(signal.reason);
    if (signal.aborted) follow();
    signal.addEventListener("abort", follow);
    return [() => signal.removeEventListener("abort", follow)];
  });
  return {
    signal: controller.signal,
    abort: () => controller.abort(DONE),
    unlink() {
      for (const unlink of links) unlink();
    },
  };
}

/** Settles as `promise` does, or rejects with the signal's reason as soon as that has aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
