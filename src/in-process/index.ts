/** `ggen-backpressure/in-process`: the limiter without a server. */

// Before anything else is loaded.
import "../client/supported-runtime.ts";

export type {
  AdmissionController,
  AdmitOptions,
  TryAdmitOptions,
  WaitingNotice,
} from "../client/api/admission-controller.ts";
export type { Claim, ClaimOptions } from "../client/api/claim.ts";
export { AdmissionError, OverloadedError } from "../client/api/errors.ts";
export type { GuardedWork, Lease, LeaseEnd, OutcomeOptions, WorkOutcome } from "../client/api/lease.ts";
export type { Limit, LimitedFunction, LimitState } from "../client/api/limit.ts";
export type { RateInput } from "../client/api/rate.ts";
export type { Refusal } from "../client/api/refusal.ts";
export type { RateLimiterOptions } from "./options.ts";
export { createRateLimiter, type KeyOptions, type RateLimiter, type WithLocalLeaseOptions } from "./rate-limiter.ts";
export { type AskOptions, createRateLimiters, type RateLimiters } from "./rate-limiters.ts";
