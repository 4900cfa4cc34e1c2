/** Cards: domain to protobuf and back. */

import { create, type DescField, type MessageInitShape } from "@bufbuild/protobuf";
import { type PulledCard, PulledCardSchema } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import {
  type Card,
  type CardLease,
  CardLeaseSchema,
  CardSchema,
  CardState as WireState,
} from "../gen/ggen/backpressure/v1/card_pb.ts";
import type { CardContent, CardState } from "../machine/board/model.ts";
import type { ShownPull } from "../machine/board/show.ts";
import type { CardView, WorkView } from "../machine/board/view.ts";
import { invalidRequest } from "./error-wire.ts";
import { applyMask, type Updatable } from "./field-mask.ts";
import { callerToWire } from "./lease-wire.ts";
import { microsToDuration, msToTimestamp, optionalDuration, optionalTimestamp } from "./time-wire.ts";

const { id, title, description, data, priority } = CardSchema.field;
const CONTENT_FIELDS: readonly DescField[] = [id, title, description, data, priority];

const UPDATABLE: Updatable<typeof CardSchema> = {
  schema: CardSchema,
  noun: "card",
  output: new Set(CardSchema.fields.filter((field) => !CONTENT_FIELDS.includes(field))),
  fixed: new Set([id]),
};

/** What the client that adds a card decides. */
export function contentFromWire(card: Card): CardContent {
  return { title: card.title, description: card.description, data: card.data, priority: card.priority };
}

/** A card's content after the fields that `paths` names have been taken from the message; throws a `WireError`. */
export function updateContent(current: CardView, message: Card, paths: readonly string[]): CardContent {
  const before = create(CardSchema, { id: current.id, ...current.content });
  const update = applyMask(UPDATABLE, before, { changes: message, paths });
  if (update.kind === "invalid") throw invalidRequest(update.violations);
  return contentFromWire(update.message);
}

/** A card as any client may see it. */
export function cardToWire(view: CardView): Card {
  return create(CardSchema, {
    id: view.id,
    ...view.content,
    stage: view.stage,
    state: STATES[view.state],
    lease: view.work && leaseFields(view.work),
    attempt: view.attempt,
    reason: view.reason,
    result: view.result,
    addTime: msToTimestamp(view.addedAt),
    enterTime: msToTimestamp(view.enteredAt),
    completeTime: optionalTimestamp(view.completedAt),
    age: microsToDuration(view.age),
    stageAge: microsToDuration(view.stageAge),
    blockedTime: view.blockedTime === 0 ? undefined : microsToDuration(view.blockedTime),
    etag: String(view.revision),
  });
}

/** A card as its worker gets it: with how long it may rely on it. */
export function pulledToWire({ card, workId, resumed }: ShownPull): PulledCard {
  const message = cardToWire(card);
  if (workId !== undefined && card.work !== undefined) message.lease = workToWire(card.work);
  return create(PulledCardSchema, { card: message, resumed });
}

export function workToWire(work: WorkView): CardLease {
  const validFor = work.ttl === undefined || work.ttl === 0 ? undefined : microsToDuration(Math.floor(work.ttl / 2));
  return create(CardLeaseSchema, { ...leaseFields(work), validFor });
}

export function cardStateFromWire(state: WireState): CardState | undefined {
  const found = Object.entries(STATES).find(([, wire]) => wire === state);
  return found?.[0] as CardState | undefined;
}

function leaseFields(work: WorkView): MessageInitShape<typeof CardLeaseSchema> {
  return {
    worker: work.worker,
    fencingToken: BigInt(work.token),
    pullTime: msToTimestamp(work.pulledAt),
    ttl: optionalDuration(work.ttl),
    expireTime: optionalTimestamp(work.expiresAt),
    live: work.live,
    caller: callerToWire(work.caller),
  };
}

const STATES: Record<CardState, WireState> = {
  waiting: WireState.WAITING,
  active: WireState.ACTIVE,
  blocked: WireState.BLOCKED,
  finished: WireState.FINISHED,
  "sent-back": WireState.SENT_BACK,
  completed: WireState.COMPLETED,
};
