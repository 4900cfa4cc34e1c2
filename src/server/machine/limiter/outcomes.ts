/** How leases end, and what their holders say of the work. */

/** How a lease ended; each ends exactly once. */
export type LeaseEnd = "released" | "cancelled" | "expired" | "revoked" | "deleted";

/** How the guarded work went. */
export type WorkOutcome = "success" | "overloaded" | "ignored";
