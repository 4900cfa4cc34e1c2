/** Worlds in a process of their own, one seed after another, as the parent deals them out; it ends with the channel to that. */

import { type Simulated, simulate } from "./simulate.ts";

export interface Deal {
  readonly seed: number;
  readonly steps: number;
}

export type Dealt = Deal & { readonly world: Simulated };

process.on("message", async (deal: Deal) => {
  const world = await simulate(deal.seed, deal.steps).catch((error: Error) => ({
    ...NOTHING,
    violations: [error.stack ?? String(error)],
  }));
  process.send?.({ ...deal, world } satisfies Dealt);
});

const NOTHING: Simulated = { steps: 0, works: 0, crashes: 0, violations: [] };
