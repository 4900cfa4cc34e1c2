/** Whose a lease is: to any caller but its own it does not exist. */

import { type Called, callerOf } from "../callers.ts";
import type { Lease } from "./lease.ts";
import type { State } from "./state.ts";

/** The live lease that a command names, if it is its caller's. */
export function leaseOf(state: State, command: Called & { readonly leaseId: string }): Lease | undefined {
  const lease = state.leases.get(command.leaseId);
  return lease !== undefined && lease.caller === callerOf(command) ? lease : undefined;
}
