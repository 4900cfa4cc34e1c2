/** Pulls, renewals and ends of work: protobuf to the client's words, and back. */

import type { Card } from "../api/card.ts";
import { AdmissionError } from "../api/errors.ts";
import type { Reason } from "../api/reasons.ts";
import type { PulledCard, RenewCardResult } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Refusal as WireRefusal } from "../gen/ggen/backpressure/v1/reason_pb.ts";
import { cardFromWire } from "./card.ts";
import { reasonFromWire } from "./reason.ts";
import { durationToMs } from "./time.ts";

/** What the worker of a card knows. */
export interface CardCredential {
  readonly board: string;
  readonly cardId: string;
  readonly fencingToken: bigint;
}

/** What a worker knows of a card that it has pulled. */
export interface Pulled {
  readonly credential: CardCredential;
  readonly card: Card;
  /** Whether there is anything to hold: a pull into a queue only moves its card. */
  readonly held: boolean;
  /** ms that the card outlives its worker's last sign; undefined: for ever. */
  readonly ttl: number | undefined;
  /** ms for which it may be relied on, from the moment when the request was sent; undefined: for as long as its stream. */
  readonly validFor: number | undefined;
}

/** A place on a board: where a card was pulled into. */
export interface Place {
  readonly board: string;
  readonly stage: string;
}

export function pulledFromWire({ board, stage }: Place, { card: wire }: PulledCard): Pulled {
  const card = cardFromWire(wire);
  // A retry of a pull into a queue may find its card pulled on, and in another worker's hands.
  const held = card.state === "active" && card.stage === stage;
  const validFor = wire?.lease?.validFor;
  return {
    credential: { board, cardId: card.id, fencingToken: held ? (card.lease?.fencingToken ?? 0n) : 0n },
    card,
    held,
    ttl: held ? card.lease?.ttlMs : undefined,
    validFor: held && validFor ? durationToMs(validFor) : undefined,
  };
}

/** What became of work on a card. */
export type CardRenewal =
  | { readonly kind: "renewed"; readonly validFor: number | undefined }
  | { readonly kind: "refused"; readonly reason: Reason; readonly message: string };

export function renewalFromWire(wire: RenewCardResult | undefined): CardRenewal {
  switch (wire?.result.case) {
    case "renewed": {
      const { validFor } = wire.result.value;
      return { kind: "renewed", validFor: validFor && durationToMs(validFor) };
    }
    case "refused": {
      const { reason, message } = wire.result.value;
      return { kind: "refused", reason: reasonFromWire(reason), message };
    }
    default:
      return { kind: "refused", reason: "UNKNOWN", message: "the server does not say why" };
  }
}

/** A refusal that is an answer, for calls that want an error. */
export function noneError({ board, stage }: Place, wire: WireRefusal): AdmissionError {
  return new AdmissionError(wire.message, {
    reason: reasonFromWire(wire.reason),
    code: "RESOURCE_EXHAUSTED",
    retryAfterMs: wire.retryAfter && durationToMs(wire.retryAfter),
    limiter: wire.limiter,
    key: wire.key,
    board,
    stage,
  });
}
