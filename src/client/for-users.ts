/** What callers use, in Node and in browsers alike. */

export type { AdmissionController, AdmitOptions, TryAdmitOptions, WaitingNotice } from "./admission-controller.ts";
export type { Claim, ClaimOptions, GrantedClaim } from "./claim.ts";
export type {
  AcquireOptions,
  Client,
  ClientOptions,
  CreateClientOptions,
  DrainingNotice,
  GuardedWork,
  RetryOptions,
  TryAcquireOptions,
  WithLeaseOptions,
} from "./client.ts";
export {
  AdmissionError,
  ClientClosedError,
  LeaseLostError,
  type LossReason,
  OverloadedError,
  ServerError,
  ServerUnavailableError,
  type StatusCode,
  TooManyStreamsError,
  type Violation,
} from "./errors.ts";
export type { Lease, LeaseEnd, RevokingNotice, WorkOutcome } from "./lease.ts";
export type {
  LeaseInfo,
  Limiter,
  LimiterChanges,
  LimiterConfig,
  LimiterEvent,
  LimiterSettings,
  LimiterStatus,
  Revocation,
  WaiterInfo,
} from "./limiter.ts";
export type { CallOptions, Limiters, ListOptions } from "./limiters.ts";
export type { Reason } from "./reasons.ts";
export type { Refusal } from "./refusal.ts";
