/** Keeps nothing beyond the process: the machines' own state is the record. */

import type { Store } from "./store.ts";

export function createMemoryStore(): Store {
  return {
    found: {
      limiters: { limiters: [], buckets: [], leases: [], waiters: [], pastRequests: [], adopted: new Set() },
      boards: { boards: [], cards: [] },
      fullAt: [],
      own: new Map(),
      ranBefore: 0,
    },
    forgetFound: () => {},
    incompleteFor: 0,
    secretKey: undefined,
    reserved: 0,
    reserve: () => Promise.resolve(),
    keep: () => undefined,
    onHealth: () => {},
    figures: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  };
}
