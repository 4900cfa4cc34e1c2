/** Outcomes and news as plain copies: what is live goes on changing, an answer does not. */

import { expiresAt } from "../liveness.ts";
import { viewInstant, type WallTime } from "../wall-time.ts";
import type {
  Command,
  Granted,
  LimiterChanged,
  MachineNews,
  Outcome,
  OutcomeOf,
  Renewed,
  Revoking,
} from "./command.ts";
import { viewLimiter } from "./read.ts";
import type { State } from "./state.ts";
import { type LeaseView, type LimiterView, validFor, viewLease } from "./view.ts";

/** A grant: of a lease that lives on if it holds permits, else of one that has left nothing behind. */
export interface ShownGrant {
  readonly kind: "granted";
  readonly lease: LeaseView;
  readonly held: boolean;
  /** µs for which its holder may rely on it from when it asked; undefined: as long as its stream, or nothing is held. */
  readonly validFor: number | undefined;
  /** Granted before, and found again. */
  readonly resumed: boolean;
}

export interface ShownRenewal {
  readonly kind: "renewed";
  readonly leaseId: string;
  /** As for a grant. */
  readonly validFor: number | undefined;
  readonly expiresAt: number | undefined;
  readonly revoking: boolean;
}

export interface ShownRevoking {
  readonly kind: "revoking";
  readonly lease: LeaseView;
  readonly message: string;
}

/** A limiter as it stands after the step. */
export interface ShownLimiter {
  readonly kind: "limiter";
  readonly limiter: LimiterView;
}

type Shown<O> = O extends Granted
  ? ShownGrant
  : O extends Renewed
    ? ShownRenewal
    : O extends Revoking
      ? ShownRevoking
      : O extends LimiterChanged
        ? ShownLimiter
        : O;

export type ShownOutcome = Shown<Outcome>;
export type ShownOutcomeOf<C extends Command> = Shown<OutcomeOf<C>>;
export type ShownNews = Shown<MachineNews>;

export function showOutcome(state: State, outcome: Outcome, wallTime: WallTime): ShownOutcome {
  switch (outcome.kind) {
    case "granted":
      return showGrant(state, outcome, wallTime);
    case "renewed":
      return showRenewal(state, outcome, wallTime);
    case "revoking":
      return showRevoking(outcome, wallTime);
    case "limiter":
      return { kind: "limiter", limiter: viewLimiter(state, outcome.limiter, wallTime) };
    default:
      return outcome;
  }
}

export function showNews(state: State, news: MachineNews, wallTime: WallTime): ShownNews {
  switch (news.kind) {
    case "granted":
      return showGrant(state, news, wallTime);
    case "revoking":
      return showRevoking(news, wallTime);
    default:
      return news;
  }
}

function showGrant({ now }: State, { lease, held, resumed }: Granted, wallTime: WallTime): ShownGrant {
  return {
    kind: "granted",
    lease: viewLease(lease, wallTime),
    held,
    validFor: held ? validFor(lease, now) : undefined,
    resumed,
  };
}

function showRenewal({ now }: State, { lease }: Renewed, wallTime: WallTime): ShownRenewal {
  return {
    kind: "renewed",
    leaseId: lease.id,
    validFor: validFor(lease, now),
    expiresAt: viewInstant(expiresAt(lease), wallTime),
    revoking: lease.revokedAt !== undefined,
  };
}

function showRevoking({ lease, message }: Revoking, wallTime: WallTime): ShownRevoking {
  return { kind: "revoking", lease: viewLease(lease, wallTime), message };
}
