/** What the package exports, in Node and in browsers alike. */

// For users.

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
export {
  AdmissionError,
  ClientClosedError,
  LeaseLostError,
  type LossReason,
  OverloadedError,
  PermissionDeniedError,
  ServerError,
  ServerUnavailableError,
  type StatusCode,
  TooManyStreamsError,
  UnauthenticatedError,
  type Violation,
  type WorkLoss,
  type WorkLossReason,
  WorkLostError,
} from "./api/errors.ts";
export type { ClientEvent } from "./api/events.ts";
export type {
  AdmittedBy,
  DrainingNotice,
  GuardedWork,
  Lease,
  LeaseEnd,
  OutcomeOptions,
  RevokingNotice,
  WorkOutcome,
} from "./api/lease.ts";
export type { Limit, LimitedFunction, LimitState } from "./api/limit.ts";
export type {
  LeaseInfo,
  Limiter,
  LimiterChanges,
  LimiterConfig,
  LimiterEvent,
  LimiterSample,
  LimiterSettings,
  LimiterStatus,
  Obstacle,
  Revocation,
  WaiterInfo,
} from "./api/limiter.ts";
export type { CallOptions, Limiters, ListOptions } from "./api/limiters.ts";
export type { Reason } from "./api/reasons.ts";
export type { Refusal } from "./api/refusal.ts";
export type { PullNotice, PullOptions, TryPullOptions, Work, WorkEnd } from "./api/work.ts";
export type { BackoffOptions, WorkHandler, WorkLoop, WorkLoopOptions } from "./api/work-loop.ts";

// For extensions of the client: the services of the contract, for calls that it does not make, and what another implementation of
// `AdmissionController` is made of.

export type { AdmissionErrorInit } from "./api/errors.ts";
export { createRefusal, type RefusalWords } from "./api/refusal.ts";
export { AdmissionService, BoardService, LimiterService } from "./services.ts";
export { toClientError } from "./wire/error.ts";
