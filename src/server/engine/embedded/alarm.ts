/** One timer, moved as seldom as can be: an alarm that goes off early does no harm, setting one with every step would. */

import type { Clock } from "../../clock.ts";

export interface Alarm {
  /** Goes off at `at` (µs) at the latest; `precise`: not a millisecond later. Infinity: need not go off. */
  set(at: number, precise: boolean): void;
  /** As `set`, if none is set. */
  setUnlessSet(at: number): void;
  clear(): void;
}

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let setFor = Number.POSITIVE_INFINITY;
  let setPrecise = false;
  let cancel: (() => void) | undefined;

  const clear = () => {
    cancel?.();
    cancel = undefined;
    setFor = Number.POSITIVE_INFINITY;
  };
  const set = (at: number, precise: boolean) => {
    const goodEnough = setFor <= at && (setPrecise || !precise);
    if (at === Number.POSITIVE_INFINITY || goodEnough) return;
    clear();
    setFor = at;
    setPrecise = precise;
    cancel = clock.schedule(at, precise, () => {
      cancel = undefined;
      setFor = Number.POSITIVE_INFINITY;
      ring();
    });
  };
  return {
    set,
    setUnlessSet: (at) => {
      if (cancel === undefined) set(at, false);
    },
    clear,
  };
}
