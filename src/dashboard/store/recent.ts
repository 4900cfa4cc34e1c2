/** How many waited at each limiter in the last ten minutes: from the server's history at first, and as the page sees it from then on. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { Rpc } from "../api/rpc.ts";
import type { Limiters } from "./limiters.ts";

export interface Recent {
  /** The oldest first; empty until they have come, for which this asks. */
  of(name: string): readonly number[];
  /** Rises when some have come. */
  readonly version: ReadonlySignal<number>;
}

/** ms. */
const INTERVAL = 15_000;
const SAMPLES = 40;
/** Calls at once: the others have connections, too. */
const MOST_CALLS = 2;

export interface RecentOptions {
  readonly rpc: Pick<Rpc, "limiters">;
  readonly limiters: Pick<Limiters, "byName">;
}

export function createRecent({ rpc, limiters }: RecentOptions): Recent {
  const known = new Map<string, readonly number[]>();
  const wanted = new Set<string>();
  const version = signal(0);
  let calls = 0;

  function ask(): void {
    for (const name of wanted) {
      if (calls >= MOST_CALLS) return;
      wanted.delete(name);
      calls += 1;
      void load(name).finally(() => {
        calls -= 1;
        version.value += 1;
        ask();
      });
    }
  }

  async function load(name: string): Promise<void> {
    try {
      const { samples } = await rpc.limiters.getLimiterHistory({ name });
      known.set(
        name,
        samples.slice(-SAMPLES).map(({ waiters }) => Number(waiters)),
      );
    } catch {
      // It is gone, or the server is: what the page sees from now on will do.
    }
  }

  setInterval(() => {
    for (const [name, values] of known) {
      const heard = limiters.byName.get(name);
      if (heard === undefined) known.delete(name);
      else known.set(name, [...values.slice(1 - SAMPLES), heard.limiter.status.waiters]);
    }
    version.value += 1;
  }, INTERVAL);

  return {
    version,
    of(name) {
      const values = known.get(name);
      if (values !== undefined) return values;
      known.set(name, []);
      wanted.add(name);
      ask();
      return [];
    },
  };
}
