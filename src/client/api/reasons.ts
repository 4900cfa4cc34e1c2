/** Why the service said no. Free of any transport, so that the in-process limiter speaks the same words. */

import { type KnownReason, REASONS } from "../../reasons/reasons.ts";

/**
 * Every reason that the contract knows (`reason.proto`), without its prefix; `"UNKNOWN"` stands for one that only a newer
 * server knows. `error.retryable` says of each whether the same request may succeed later.
 */
export type Reason = Exclude<KnownReason, "KEY_REQUIRED" | "KEY_NOT_ALLOWED"> | "UNKNOWN";

/** Returns whether the same request may succeed later. A reason that only a newer server knows says so by its time. */
export function isRetryable(reason: Reason, retryAfterMs: number | undefined): boolean {
  return reason === "UNKNOWN" ? retryAfterMs !== undefined : REASONS[reason].when === "now";
}
