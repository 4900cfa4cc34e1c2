/** Work on a card that the client holds. */

import type { Card } from "../api/card.ts";
import { AdmissionError, type WorkLossReason, WorkLostError } from "../api/errors.ts";
import type { Reason } from "../api/reasons.ts";
import type { WorkEnd } from "../api/work.ts";
import { Held, type HeldOptions, type HeldPorts } from "../hold/held.ts";
import type { HeldKind, Loss } from "../hold/held-kind.ts";
import type { Calls } from "../rpc/calls.ts";
import type { CardCredential, CardRenewal, Pulled } from "../wire/work.ts";
import type { Ending, WorkEndRequest } from "./end.ts";

export interface HeldWorkPorts extends HeldPorts<CardCredential, CardRenewal> {
  /** Tells the server how the work has ended; rejects where that is not so. */
  readonly sayEnded: (request: WorkEndRequest) => Promise<Card>;
  /** The error for a server that has not said it in time. */
  readonly unavailable: Calls["unavailable"];
}

/** The stream of `attached` is the lease on the card; undefined for work of TryPullCard. Aborting `signal` gives the card back. */
export interface HeldWorkOptions
  extends Pick<HeldOptions<CardCredential>, "sentAt" | "attached" | "signal" | "onOver"> {
  readonly pulled: Pulled;
}

/** Where the server has said of a loss that the work is over, there is nothing to tell it. */
type Over = true;
type ByServer = Loss<WorkLossReason, Over>;

/** The reasons of the server that say that the work is over. */
const SERVER_LOSSES: ReadonlySet<Reason> = new Set<Extract<Reason, WorkLossReason>>([
  "LEASE_EXPIRED",
  "LEASE_DISPLACED",
  "LEASE_REVOKED",
  "LIMITER_DELETED",
  "STALE_FENCING_TOKEN",
  "CARD_DELETED",
  "CARD_BLOCKED",
  "CARD_NOT_FOUND",
  "BOARD_NOT_FOUND",
]);

export class HeldWork {
  readonly pulled: Pulled;
  readonly #unavailable: Calls["unavailable"];
  readonly #held: Held<CardCredential, CardRenewal, Ending, Card, WorkLossReason, Over>;

  constructor(ports: HeldWorkPorts, { pulled, ...options }: HeldWorkOptions) {
    const { credential, validFor } = pulled;
    this.pulled = pulled;
    this.#unavailable = ports.unavailable;
    this.#held = new Held(kindOf(ports, pulled), ports, { ...options, credential, validFor });
  }

  /** Aborts when the work is lost. */
  get signal(): AbortSignal {
    return this.#held.signal;
  }

  get valid(): boolean {
    return this.#held.valid;
  }

  get end(): WorkEnd | undefined {
    return this.#held.ending?.kind;
  }

  /**
   * Ends the work; the first end counts, unless the server finds that it breaks a rule. Rejects with a
   * `ServerUnavailableError` where the server has not confirmed it in time: the end is repeated until the card's ttl has
   * passed, and concluding in the same way again waits on.
   */
  async conclude(ending: Ending): Promise<Card> {
    const { end } = this;
    if (end !== undefined && end !== ending.kind) throw endedError(this.pulled, `it was ${end} already`);
    return this.#held.endWithin(ending, (ms) => {
      throw this.#unavailable(
        `it has not confirmed the end of the work within ${ms} ms; it is tried again while the card's ttl lasts`,
      );
    });
  }

  /** Gives the card back, unless the work has ended. Never rejects. */
  leave(): Promise<void> {
    return this.#held.leave();
  }

  abandon(reason: unknown): Promise<void> {
    return this.#held.abandon(reason);
  }

  leavePage(): void {
    this.#held.leavePage();
  }
}

function kindOf(
  { sayEnded }: HeldWorkPorts,
  { credential, ttl }: Pulled,
): HeldKind<CardRenewal, Ending, Card, WorkLossReason, Over> {
  const { board, cardId: card } = credential;
  return {
    readRenewal(renewal) {
      if (renewal.kind === "renewed") return renewal;
      const reason = isServerLoss(renewal.reason) ? renewal.reason : "STALE_FENCING_TOKEN";
      return { reason, detail: renewal.message, ended: true };
    },
    readStreamEnd,
    lostError: (loss) => new WorkLostError({ board, card }, loss),
    resuming: (attempt, error) => ({ kind: "work-resuming", board, card, attempt, error }),
    resumed: (attempt) => ({ kind: "work-resumed", board, card, attempt }),
    sayEnded: (ending, otherwise) => sayEnded({ credential, ending, ttl, otherwise }),
    goesOnAfter: (error) => error instanceof AdmissionError && error.reason === "INVALID_REQUEST",
    givenBack: { kind: "given-back", reason: "", failed: false },
    leftPage: true,
  };
}

function readStreamEnd(error: Error | undefined): ByServer | undefined {
  if (error === undefined) return { reason: "LEASE_ENDED", detail: "another client has ended it", ended: true };
  if (!(error instanceof AdmissionError)) return undefined;
  const lost = { detail: error.message, cause: error, ended: true } as const;
  if (isServerLoss(error.reason)) return { ...lost, reason: error.reason };
  // An end that only a newer server knows is one as well.
  return error.code === "ABORTED" ? { ...lost, reason: "LEASE_ENDED" } : undefined;
}

/** Work that has nothing left to end. */
export function endedError({ credential, card }: Pulled, detail: string): AdmissionError {
  return new AdmissionError(`work on card ${card.id} of board ${credential.board} has ended: ${detail}`, {
    reason: "STALE_FENCING_TOKEN",
    code: "ABORTED",
    board: credential.board,
    card: card.id,
  });
}

function isServerLoss(reason: Reason): reason is Extract<Reason, WorkLossReason> {
  return SERVER_LOSSES.has(reason);
}
