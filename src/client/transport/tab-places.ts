/** The streams of all tabs of an origin, counted together by the Web Locks API. */

import type { SharedPlaces } from "../rpc/stream-budget.ts";

/** What is used of `navigator.locks`. */
type Locks = Pick<LockManager, "request">;

/**
 * Creates places that all tabs share which ask for the same `name`: a lock for each of `count` places. A tab that ends, however
 * it ends, leaves its places by that.
 *
 * A place that is given back stays with its tab for the rest of the turn, so that a stream which takes another's place does
 * not lose it to another tab on the way.
 */
export function createTabPlaces(locks: Locks, name: string, count: number): SharedPlaces {
  /** What gives back each place that this tab has and does not use. */
  const spare = new Set<() => void>();

  async function lock(index: number): Promise<(() => void) | undefined> {
    const taken = Promise.withResolvers<(() => void) | undefined>();
    locks
      .request(`${name}#${index}`, { ifAvailable: true }, (granted) => {
        if (granted === null) {
          taken.resolve(undefined);
          return undefined;
        }
        const held = Promise.withResolvers<void>();
        taken.resolve(held.resolve);
        return held.promise;
      })
      .catch(taken.reject);
    return taken.promise;
  }

  function giveBackLater(giveBack: () => void): () => void {
    return () => {
      spare.add(giveBack);
      setTimeout(() => {
        if (spare.delete(giveBack)) giveBack();
      });
    };
  }

  return {
    async take() {
      for (const giveBack of spare) {
        spare.delete(giveBack);
        return giveBackLater(giveBack);
      }
      for (let index = 0; index < count; index += 1) {
        const giveBack = await lock(index);
        if (giveBack !== undefined) return giveBackLater(giveBack);
      }
      return undefined;
    },
  };
}
