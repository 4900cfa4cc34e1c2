/** The cards of a session. */

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Draining } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  type PullCardResponse,
  PullCardResponseSchema,
  PullDrainingSchema,
  type PulledCard,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../gen/ggen/backpressure/v1/card_pb.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import type { Clock } from "../rpc/clock.ts";
import { durationToMs } from "../wire/time.ts";
import { errorOfReason, errorOfStatus } from "./errors.ts";
import type { EventQueue } from "./event-queue.ts";
import { createMembers, type Member, type Members } from "./members.ts";

/** What a worker is known by: the token of its pull of this card. */
export interface WorkId {
  readonly board: string;
  readonly cardId: string;
  readonly fencingToken: bigint;
}

/** Where a card was pulled into. */
export interface Place {
  readonly board: string;
  readonly stage: string;
}

export type CardStream = EventQueue<PullCardResponse>;
export type CardMember = Member<PulledCard, PullCardResponse>;

export interface Cards extends Omit<Members<PulledCard, PullCardResponse>, "adopt" | "end" | "tell"> {
  /** Holds what was pulled, over this stream if there is one. Returns undefined where the session holds nothing by it. */
  adopt(place: Place, pulled: PulledCard, stream: CardStream | undefined): CardMember | undefined;
  end(work: WorkId, status: Status): void;
  drain(draining: Draining): void;
}

/** No name or id has a line break in it. */
export function keyOf({ board, cardId, fencingToken }: WorkId): string {
  return `${board}\n${cardId}\n${fencingToken}`;
}

export function workOf(key: string): WorkId {
  const [board = "", cardId = "", fencingToken = ""] = key.split("\n");
  return { board, cardId, fencingToken: BigInt(fencingToken) };
}

/** `onHeld` is called with when it is overdue, in monotonic ms, unless it is wanted again. */
export function createCards(clock: Clock, onHeld: (due: number) => void): Cards {
  const members = createMembers<PulledCard, PullCardResponse>();
  return {
    ...members,
    get living() {
      return members.living;
    },
    get attached() {
      return members.attached;
    },
    adopt({ board, stage }, pulled, stream) {
      const { card } = pulled;
      // A pull into a queue has only moved its card; without a ttl it is a person's.
      if (card?.state !== CardState.ACTIVE || card.stage !== stage || card.lease?.ttl === undefined) return undefined;
      const key = keyOf({ board, cardId: card.id, fencingToken: card.lease.fencingToken });
      const ttl = durationToMs(card.lease.ttl);
      const wantedAt = clock.now().monotonic;
      if (ttl > 0) onHeld(wantedAt + ttl);
      return members.adopt({ key, grant: pulled, ttl, wantedAt, stream }, () =>
        errorOfReason("LEASE_DISPLACED", Code.Aborted, "another request has taken the card over"),
      );
    },
    end: (work, status) => members.end(keyOf(work), status, status.code === 0 ? undefined : errorOfStatus(status)),
    drain({ endTime }) {
      const value = create(PullDrainingSchema, { endTime });
      members.tell(create(PullCardResponseSchema, { event: { case: "draining", value } }));
    },
  };
}
