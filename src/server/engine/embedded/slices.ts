/** Goes through many things a few at a time, so that what falls due meanwhile is not kept waiting. */

import type { Clock } from "../../clock.ts";

export interface Slices<T> {
  /** Whether the last that were begun with are not through. */
  readonly busy: boolean;
  /** Handles the first few at once, and the others later, in order. What is left of those before is let go. */
  begin(items: readonly T[]): void;
  clear(): void;
}

interface SlicesOptions<T> {
  readonly clock: Clock;
  /** How many at a time. */
  readonly size: number;
  /** `last`: it has all been handled with this slice, which is empty if there was nothing. */
  readonly handle: (slice: readonly T[], last: boolean) => void;
}

export function createSlices<T>({ clock, size, handle }: SlicesOptions<T>): Slices<T> {
  let items: readonly T[] = [];
  let next = 0;
  let cancel: (() => void) | undefined;

  function handleSome(): void {
    const slice = items.slice(next, next + size);
    next += size;
    const more = next < items.length;
    if (!more) items = [];
    // Other calls have a turn before the next few.
    cancel = more ? clock.schedule(clock.now(), false, handleSome) : undefined;
    handle(slice, !more);
  }

  return {
    get busy() {
      return cancel !== undefined;
    },
    begin(all) {
      cancel?.();
      items = all;
      next = 0;
      handleSome();
    },
    clear() {
      cancel?.();
      cancel = undefined;
      items = [];
    },
  };
}
