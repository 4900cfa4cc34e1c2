/** All leases that a client holds. */

import type { Moment } from "./clock.ts";
import { Holding, type HoldingOptions, type HoldingPorts } from "./holding.ts";
import type { Grant } from "./lease-wire.ts";

/** What a grant has left: a lease to hold, or nothing. */
export type Admission =
  | { readonly kind: "held"; readonly holding: Holding }
  | { readonly kind: "spent"; readonly grant: Grant };

interface HoldOptions extends Omit<HoldingOptions, "grant" | "sentAt" | "onOver"> {
  readonly grant: Grant;
  /** When the request was sent that was answered with the grant, or that confirmed it. */
  readonly sentAt: Moment;
}

export interface Holdings extends Iterable<Holding> {
  /** Begins to hold what was granted, if that is anything. */
  admit(options: HoldOptions): Admission;
  /** Frees the connections that leases occupy, where they can do without: a renewal does not get through. */
  makeWay(): void;
  /** Gives everything back because of `reason`, and waits until the server knows. */
  abandonAll(reason: unknown): Promise<void>;
}

export function createHoldings(ports: HoldingPorts): Holdings {
  const holdings = new Set<Holding>();
  return {
    admit(options) {
      const { grant } = options;
      if (grant.secret === "") return { kind: "spent", grant };
      const holding = new Holding(ports, { ...options, onOver: () => holdings.delete(holding) });
      holdings.add(holding);
      return { kind: "held", holding };
    },
    makeWay() {
      for (const holding of holdings) holding.makeWay();
    },
    async abandonAll(reason) {
      await Promise.all([...holdings].map((holding) => holding.abandon(reason)));
    },
    [Symbol.iterator]: () => holdings.values(),
  };
}
