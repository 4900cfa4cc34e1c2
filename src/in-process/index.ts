/** `ggen-backpressure/in-process`: the limiter without a server. */

// Before anything else is loaded.
import "../client/supported-runtime.ts";

export type {
  AdmissionController,
  AdmitOptions,
  TryAdmitOptions,
  WaitingNotice,
} from "../client/admission-controller.ts";
export type { Claim, ClaimOptions } from "../client/claim.ts";
export { AdmissionError, OverloadedError } from "../client/errors.ts";
export type { GuardedWork, OutcomeOptions } from "../client/guarded-work.ts";
export type { Lease, LeaseEnd, WorkOutcome } from "../client/lease.ts";
export type { Limit, LimitedFunction, LimitState } from "../client/limit.ts";
export type { RateInput } from "../client/rate.ts";
export type { Refusal } from "../client/refusal.ts";
export type { RateLimiterOptions } from "./options.ts";
export { createRateLimiter, type KeyOptions, type RateLimiter, type WithLocalLeaseOptions } from "./rate-limiter.ts";
export { type AskOptions, createRateLimiters, type RateLimiters } from "./rate-limiters.ts";
