/** A store that keeps when it is let. */

import type { Store } from "../../../src/server/store/store.ts";

export interface HeldStore extends Store {
  hold(): void;
  letGo(): void;
}

/** `isAwaited` false: what it keeps is not waited for, which is a fault. */
export function createHeldStore(store: Store, isAwaited = true): HeldStore {
  let gate: PromiseWithResolvers<void> | undefined;
  return {
    ...store,
    get found() {
      return store.found;
    },
    keep(changes) {
      const kept = store.keep(changes);
      if (!isAwaited) return undefined;
      return gate === undefined || changes.length === 0 ? kept : Promise.all([kept, gate.promise]).then(() => {});
    },
    hold() {
      gate ??= Promise.withResolvers();
    },
    letGo() {
      gate?.resolve();
      gate = undefined;
    },
  };
}
