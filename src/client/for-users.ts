/** What callers use, in Node and in browsers alike. */

export type { AdmissionController, AdmitOptions, TryAdmitOptions, WaitingNotice } from "./admission-controller.ts";
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
} from "./board.ts";
export type { BoardClient, EndOptions } from "./board-client.ts";
export type { Boards } from "./boards.ts";
export type { Card, CardChanges, CardLease, CardSettings, CardState, NewCard } from "./card.ts";
export type { Claim, ClaimOptions, GrantedClaim } from "./claim.ts";
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
} from "./client.ts";
export type { ClientEvent } from "./client-event.ts";
export type { DrainingNotice } from "./draining-notice.ts";
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
} from "./errors.ts";
export type { GuardedWork, OutcomeOptions } from "./guarded-work.ts";
export type { AdmittedBy, Lease, LeaseEnd, RevokingNotice, WorkOutcome } from "./lease.ts";
export type { Limit, LimitedFunction, LimitState } from "./limit.ts";
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
export type { PullNotice, PullOptions, TryPullOptions, Work, WorkEnd } from "./work.ts";
export type { BackoffOptions, WorkHandler, WorkLoop, WorkLoopOptions } from "./work-loop.ts";
