/** All leases that a client holds. */

import { createHeldSet, type HeldSet } from "../hold/held-set.ts";
import type { AskPorts } from "../rpc/ports.ts";
import type { Grant } from "../wire/lease.ts";
import { HeldLease, type HeldLeaseOptions, type HeldLeasePorts } from "./held-lease.ts";

/** What a grant has left: a lease to hold, or nothing. */
export type Admission =
  | { readonly kind: "held"; readonly lease: HeldLease }
  | { readonly kind: "spent"; readonly grant: Grant };

export interface HeldLeases extends Omit<HeldSet<HeldLease>, "add" | "delete"> {
  /** Begins to hold what was granted, if that is anything. */
  admit(options: Omit<HeldLeaseOptions, "onOver">): Admission;
  /** Frees the connections that leases occupy, where they can do without: a renewal does not get through. */
  makeWay(): void;
}

/** What calls need that bring leases. */
export interface LeasePorts extends AskPorts {
  readonly leases: HeldLeases;
}

export function createHeldLeases(ports: HeldLeasePorts): HeldLeases {
  const held = createHeldSet<HeldLease>();
  return {
    ...held,
    admit(options) {
      const { grant } = options;
      if (!grant.held) return { kind: "spent", grant };
      const lease = new HeldLease(ports, { ...options, onOver: () => held.delete(lease) });
      held.add(lease);
      return { kind: "held", lease };
    },
    makeWay() {
      for (const lease of held) lease.makeWay();
    },
  };
}
