/** Counts how often the machine looks at what it keeps, so that a cost can be stated in steps and not in time. */

import type { State } from "../../../../src/server/machine/limiter/machine.ts";

export interface Looks {
  /** How many looks at waiters, places and leases that there were before this act. */
  during(act: () => void): number;
}

/** From now on every property of every waiter, place and lease of the machine counts its reads. */
export function countLooks(state: State): Looks {
  let looks = 0;
  const watch = (target: object) => {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(target))) {
      let current: unknown = value;
      Object.defineProperty(target, name, {
        get() {
          looks += 1;
          return current;
        },
        set(next: unknown) {
          current = next;
        },
      });
    }
  };
  for (const lease of state.leases.values()) watch(lease);
  for (const waiter of [...state.waiters.values()]) {
    for (const place of [...waiter.places]) watch(place);
    watch(waiter);
  }
  return {
    during(act) {
      looks = 0;
      act();
      return looks;
    },
  };
}
