/**
 * Goes through many things a few at a time, so that what falls due meanwhile is not kept waiting. They are not copied: of a
 * collection that changes meanwhile, what is there when its turn comes is handled.
 */

import type { Clock } from "../../clock.ts";

export interface Slices<T> {
  /** Whether the last that were begun with are not through. */
  readonly busy: boolean;
  /** Handles the first few at once, and the others later, in order. What is left of those before is let go. */
  begin(items: Iterable<T>): void;
  clear(): void;
}

interface SlicesOptions<T> {
  readonly clock: Clock;
  /** How many at a time. */
  readonly size: number;
  /** `last`: it has all been handled with this slice, which may be empty. */
  readonly handle: (slice: readonly T[], last: boolean) => void;
}

export function createSlices<T>({ clock, size, handle }: SlicesOptions<T>): Slices<T> {
  let items: Iterator<T> | undefined;
  let cancel: (() => void) | undefined;

  function handleSome(): void {
    const slice: T[] = [];
    let more = items !== undefined;
    while (more && slice.length < size) {
      const item = (items as Iterator<T>).next();
      if (item.done) more = false;
      else slice.push(item.value);
    }
    if (!more) items = undefined;
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
      items = all[Symbol.iterator]();
      handleSome();
    },
    clear() {
      cancel?.();
      cancel = undefined;
      items = undefined;
    },
  };
}
