/** What a client does by itself, for a log. */

import type { ServerUnavailableError } from "./errors.ts";

/** What the breaker has come to know. */
export type AvailabilityNews =
  | { readonly kind: "outage-began"; readonly error: ServerUnavailableError }
  | { readonly kind: "outage-ended"; readonly lasted: number };

/** Switch over `kind`: there may be more of them in a later version. */
export type ClientEvent =
  /**
   * The connection of a lease that is held was lost to `error`, and the client asks for the lease again, now the
   * `attempt`th time (from 1). Until its validity runs out the lease is as good as before.
   */
  | { readonly kind: "resuming"; readonly leaseId: string; readonly attempt: number; readonly error: Error }
  /** The lease has its stream again; its holder has nothing to do. */
  | { readonly kind: "resumed"; readonly leaseId: string; readonly attempt: number }
  /** The same for work on a card. */
  | {
      readonly kind: "work-resuming";
      readonly board: string;
      readonly card: string;
      readonly attempt: number;
      readonly error: Error;
    }
  | { readonly kind: "work-resumed"; readonly board: string; readonly card: string; readonly attempt: number }
  /**
   * A renewal of a lease had no answer, or an error for one. The client tries again by itself; unless one of the next renewals
   * is confirmed within `remainingMs`, the lease is lost.
   */
  | { readonly kind: "renewal-failed"; readonly leaseId: string; readonly remainingMs: number; readonly error: Error }
  /** The same for work on a card. */
  | {
      readonly kind: "work-renewal-failed";
      readonly board: string;
      readonly card: string;
      readonly remainingMs: number;
      readonly error: Error;
    }
  /**
   * A request that found no server (`error`) was admitted all the same, as `onUnavailable` says: without a limit (`"open"`), or by
   * the controller that stands in (`"local"`).
   */
  | {
      readonly kind: "admitted-without-server";
      readonly leaseId: string;
      readonly admittedBy: "open" | "local";
      readonly limiters: readonly string[];
      readonly error: Error;
    }
  /**
   * `"outage-began"`: a call has found the server unavailable (`error`). From now on calls fail, or do as `onUnavailable`
   * says, at once; one call now and then asks the server. `"outage-ended"`: it has answered, after `lasted` ms.
   */
  | AvailabilityNews;
