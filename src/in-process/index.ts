/** `ggen-backpressure/in-process`: the limiter without a server. */

// Before anything else is loaded.
import "../client/supported-runtime.ts";

export type {
  AdmissionController,
  AdmitOptions,
  TryAdmitOptions,
  WaitingNotice,
} from "../client/admission-controller.ts";
export { AdmissionError } from "../client/errors.ts";
export type { Lease, LeaseEnd, WorkOutcome } from "../client/lease.ts";
export type { RateInput } from "../client/rate.ts";
export type { Refusal } from "../client/refusal.ts";
export type { RateLimiterOptions } from "./options.ts";
export { createRateLimiter } from "./rate-limiter.ts";
