/** What callers use, in Node and in browsers alike. */

export type { AdmissionController, AdmitOptions, TryAdmitOptions, WaitingNotice } from "./api/admission-controller.ts";
export type {
  Board,
  BoardChanges,
  BoardConfig,
  BoardEvent,
  BoardSettings,
  BoardSnapshot,
  BoardStatus,
  Flow,
  FlowSample,
  FlowTime,
  Stage,
  StageChange,
  StageConfig,
  StageKind,
  StageStatus,
} from "./api/board.ts";
export type { BoardClient, EndOptions } from "./api/board-client.ts";
export type { Boards } from "./api/boards.ts";
export type { Card, CardChanges, CardLease, CardSettings, CardState, NewCard } from "./api/card.ts";
export type { Claim, ClaimOptions, GrantedClaim } from "./api/claim.ts";
export type {
  AcquireOptions,
  Client,
  ClientOptions,
  CreateClientOptions,
  LimitOptions,
  OnUnavailable,
  OutagePolicy,
  RetryOptions,
  TryAcquireOptions,
  WithLeaseOptions,
} from "./api/client.ts";
export type { DrainingNotice } from "./api/draining-notice.ts";
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
  type WorkLoss,
  type WorkLossReason,
  WorkLostError,
} from "./api/errors.ts";
export type { ClientEvent } from "./api/events.ts";
export type { GuardedWork, OutcomeOptions } from "./api/guarded-work.ts";
export type { AdmittedBy, Lease, LeaseEnd, RevokingNotice, WorkOutcome } from "./api/lease.ts";
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
} from "./api/limiter.ts";
export type { CallOptions, Limiters, ListOptions } from "./api/limiters.ts";
export type { Reason } from "./api/reasons.ts";
export type { Refusal } from "./api/refusal.ts";
export type { PullNotice, PullOptions, TryPullOptions, Work, WorkEnd } from "./api/work.ts";
export type { BackoffOptions, WorkHandler, WorkLoop, WorkLoopOptions } from "./api/work-loop.ts";
export type { Limit, LimitedFunction, LimitState } from "./lease/limit.ts";
