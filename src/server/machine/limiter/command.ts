/** What goes into the machine, and what comes out of it. Times are monotonic µs. */

import type { Called, CalledWithin } from "../callers.ts";
import type { Displaced, StreamEnd, StreamId, Streaming } from "../liveness.ts";
import type { Refusal, WaitReason } from "../reasons.ts";
import type { SessionRef, SessionStream } from "../session.ts";
import type { Claim } from "./claim.ts";
import type { Lease } from "./lease.ts";
import type { Instance, Limiter, LimiterConfig, Waiter } from "./limiter.ts";
import type { LeaseEnd, WorkOutcome } from "./outcomes.ts";
import type { PastRequest } from "./past-request.ts";

export interface Acquire extends Streaming, CalledWithin {
  readonly kind: "acquire";
  /** Fresh; the waiter's id and then the lease's. */
  readonly id: string;
  readonly claims: readonly Claim[];
  readonly holder: string;
  /** µs; undefined: as long as the limiters allow. 0: now or not at all. */
  readonly maxWait: number | undefined;
  /** µs; undefined: what the limiters say. */
  readonly ttl: number | undefined;
  /** Empty: no retry will come. */
  readonly requestId: string;
  /** Its stream, of which it then has what the request says of its own; undefined: the stream is for this request alone. */
  readonly session: SessionRef | undefined;
}

export interface TryAcquire extends CalledWithin {
  readonly kind: "try-acquire";
  /** Fresh; the lease's id. */
  readonly id: string;
  readonly claims: readonly Claim[];
  readonly holder: string;
  readonly ttl: number | undefined;
  readonly requestId: string;
  /** What shows life for the lease; undefined: it has to be renewed by itself. */
  readonly session: SessionRef | undefined;
}

/** Attaches a stream to a lease that has lost its own, or displaces an older stream. */
export interface Resume extends Streaming, Called {
  readonly kind: "resume";
  readonly leaseId: string;
}

/** Opens a session, in which nothing is held yet. */
export interface OpenSession extends SessionStream, Called {
  readonly kind: "open-session";
  /** Fresh. */
  readonly sessionId: string;
}

/** Takes a session up again that has lost its stream, or displaces an older stream. */
export interface ResumeSession extends SessionStream, Called {
  readonly kind: "resume-session";
  readonly sessionId: string;
}

/** Shows that its client lives, for all that it holds. */
export interface RenewSession extends Called {
  readonly kind: "renew-session";
  readonly session: SessionRef;
}

/** The stream of a session has ended without the machine's doing. */
export interface LeaveSession {
  readonly kind: "leave-session";
  readonly sessionId: string;
  readonly stream: StreamId;
  readonly how: StreamEnd;
}

/** The stream of a waiter or a lease has ended without the machine's doing. Of a lease in a session: nothing. */
export interface Leave {
  readonly kind: "leave";
  /** The waiter's or lease's id. */
  readonly id: string;
  readonly stream: StreamId;
  readonly how: StreamEnd;
}

export interface Renew extends Called {
  readonly kind: "renew";
  readonly leaseId: string;
}

export interface Release extends Called {
  readonly kind: "release";
  readonly leaseId: string;
  readonly workOutcome: WorkOutcome;
  /** Only a lease of this session, whose stream then hears nothing more of it; undefined: any lease. */
  readonly session: SessionRef | undefined;
}

/** Gives up what was asked under a request id, whatever has become of it, and also if it has yet to arrive. */
export interface Withdraw extends Called {
  readonly kind: "withdraw";
  readonly requestId: string;
  /** For the lease that it may have. */
  readonly workOutcome: WorkOutcome;
}

/** The call that asked has ended before it heard of its grant: that is as if it had not been asked for. */
export interface Abandon extends Called {
  readonly kind: "abandon";
  /** The id that the call had given, and its request id. */
  readonly id: string;
  readonly requestId: string;
}

export interface Revoke extends Called {
  readonly kind: "revoke";
  readonly leaseId: string;
  readonly force: boolean;
  readonly message: string;
}

export interface CancelWaiter extends Called {
  readonly kind: "cancel-waiter";
  readonly waiterId: string;
}

export interface CreateLimiter extends Called {
  readonly kind: "create-limiter";
  readonly config: LimiterConfig;
}

export interface UpdateLimiter extends Called {
  readonly kind: "update-limiter";
  readonly config: LimiterConfig;
  /** The revision that it must have; undefined: any. */
  readonly revision: number | undefined;
}

export interface DeleteLimiter extends Called {
  readonly kind: "delete-limiter";
  readonly name: string;
  readonly revision: number | undefined;
  readonly force: boolean;
}

/** What the configuration file declares of limiters: all of it, or a part, so that no step takes long. */
export interface Declare {
  readonly kind: "declare";
  readonly configs: readonly LimiterConfig[];
  /** Names that it declares no longer: those limiters are deleted. Names of others are passed over. */
  readonly undeclared: readonly string[];
}

/** All leases of before the start have had the time to show themselves, or to run out. */
export interface EndLearning {
  readonly kind: "end-learning";
}

/** The server stops: from here on nothing is granted, so that no waiter overtakes another while they leave one by one. */
export interface StopGranting {
  readonly kind: "stop-granting";
}

/** Does nothing but bring the state up to now. */
export interface Wake {
  readonly kind: "wake";
}

export type Command =
  | Acquire
  | TryAcquire
  | Resume
  | OpenSession
  | ResumeSession
  | RenewSession
  | LeaveSession
  | Leave
  | Renew
  | Release
  | Withdraw
  | Abandon
  | Revoke
  | CancelWaiter
  | CreateLimiter
  | UpdateLimiter
  | DeleteLimiter
  | Declare
  | EndLearning
  | StopGranting
  | Wake;

/** A grant: of a lease that lives on if it holds permits, else of one that has left nothing behind. */
export interface Granted {
  readonly kind: "granted";
  readonly lease: Lease;
  readonly held: boolean;
  /** Granted before, and found again. */
  readonly resumed: boolean;
}

export interface Waiting {
  readonly kind: "waiting";
  readonly waiterId: string;
  readonly waitersAhead: number;
  /** µs; undefined where it cannot be known. */
  readonly estimatedWait: number | undefined;
  readonly missing: WaitReason;
}

export interface Ended {
  readonly kind: "ended";
  readonly leaseId: string;
  readonly end: LeaseEnd;
  /** Whether it had ended before this command. */
  readonly already: boolean;
}

export interface Renewed {
  readonly kind: "renewed";
  readonly lease: Lease;
}

/** What of a session that was taken up again lives still. */
export interface SessionResumed {
  readonly kind: "session-resumed";
  /** In the order of their grants. */
  readonly leaseIds: readonly string[];
}

export interface SessionRenewed {
  readonly kind: "session-renewed";
  /** µs for which its client may rely on all that it holds, from when it asked; undefined: nothing of it is bound to a time. */
  readonly validFor: number | undefined;
}

export interface Revoking {
  readonly kind: "revoking";
  readonly lease: Lease;
  readonly message: string;
}

export interface LimiterChanged {
  readonly kind: "limiter";
  readonly limiter: Limiter;
}

export interface LimiterDeleted {
  readonly kind: "limiter-deleted";
  readonly name: string;
  /** Leases that it waits for; 0: it is gone. */
  readonly drainingLeases: number;
}

/**
 * What a file's declarations came to, by name; `refused`: `keyed` cannot be changed while a limiter is held or waited for,
 * so all but that was.
 */
export interface Declared {
  readonly kind: "declared";
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  readonly refused: readonly string[];
}

/** A request that had no lease takes nothing any more: it waited, or will be refused when it arrives. */
export interface Withdrawn {
  readonly kind: "withdrawn";
}

export interface Done {
  readonly kind: "done";
}

/** What each command is answered with. */
export interface Outcomes {
  acquire: Granted | Waiting | Refusal;
  "try-acquire": Granted | Refusal;
  resume: Granted | Refusal;
  "open-session": Done;
  "resume-session": SessionResumed | Refusal;
  "renew-session": SessionRenewed | Refusal;
  "leave-session": Done;
  /** WAITER_NOT_FOUND: nothing of that id is under the stream by itself. What a session was granted is not. */
  leave: Done | Refusal;
  renew: Renewed | Ended | Refusal;
  release: Ended | Refusal;
  withdraw: Ended | Withdrawn;
  abandon: Done;
  revoke: Revoking | Ended | Refusal;
  "cancel-waiter": Done | Refusal;
  "create-limiter": LimiterChanged | Refusal;
  "update-limiter": LimiterChanged | Refusal;
  "delete-limiter": LimiterDeleted | Refusal;
  declare: Declared;
  "end-learning": Done;
  "stop-granting": Done;
  wake: Done;
}

export type OutcomeOf<C extends Command> = Outcomes[C["kind"]];
export type Outcome = Outcomes[Command["kind"]];

/** What the step means for a stream other than the caller's. */
export interface MachineEvent {
  readonly to: StreamId;
  /** The id of the waiter, lease or session that it is about. */
  readonly about: string;
  readonly news: MachineNews;
}

export type MachineNews =
  | Granted
  /** Leaves the queue without a grant; the stream ends. */
  | Refusal
  | Revoking
  /** The lease has ended; so does the stream. */
  | Ended
  | Displaced;

/** A record to keep. It refers to live state: the store copies what it needs before the next step. */
export type Change =
  | { readonly kind: "lease-put"; readonly lease: Lease }
  | { readonly kind: "lease-ended"; readonly lease: Lease; readonly end: LeaseEnd }
  | { readonly kind: "tokens-spent"; readonly instance: Instance }
  /** What a request id has stood for, for requests that use it again. */
  | {
      readonly kind: "request-past";
      readonly caller: string;
      readonly requestId: string;
      readonly past: PastRequest;
    }
  | { readonly kind: "waiter-put"; readonly waiter: Waiter }
  | { readonly kind: "waiter-left"; readonly waiter: Waiter }
  | { readonly kind: "limiter-put"; readonly limiter: Limiter }
  | { readonly kind: "limiter-removed"; readonly name: string }
  /** What was kept before the start and is not taken up: it has ended, or what it was of is gone. */
  | { readonly kind: "record-dropped"; readonly of: "lease" | "waiter"; readonly id: string }
  /** A bucket that is full, or whose limiter has no rate limit or is gone: there is nothing to remember of it. */
  | { readonly kind: "bucket-dropped"; readonly limiter: string; readonly key: string };
