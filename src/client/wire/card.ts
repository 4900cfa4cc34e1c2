/** Cards: protobuf to what the client shows, and what callers choose back. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Card, CardChanges, CardLease, CardSettings, CardState } from "../api/card.ts";
import {
  type CardSchema,
  type Card as WireCard,
  type CardLease as WireLease,
  CardState as WireState,
} from "../gen/ggen/backpressure/v1/card_pb.ts";
import { durationToMs, timestampToDate } from "./time.ts";

type CardInit = Exclude<MessageInitShape<typeof CardSchema>, WireCard>;

/** The names of the settings in a field mask. */
const PATHS: Record<keyof CardSettings, string> = {
  title: "title",
  description: "description",
  data: "data",
  priority: "priority",
};

export function cardFromWire(wire: WireCard | undefined): Card {
  if (wire === undefined) throw new TypeError("the server answered without a card");
  return {
    id: wire.id,
    title: wire.title,
    description: wire.description,
    data: wire.data,
    priority: wire.priority,
    stage: wire.stage,
    state: cardStateFromWire(wire.state),
    lease: wire.lease && leaseFromWire(wire.lease),
    attempt: wire.attempt,
    reason: wire.reason,
    result: wire.result,
    addTime: wire.addTime && timestampToDate(wire.addTime),
    enterTime: wire.enterTime && timestampToDate(wire.enterTime),
    completeTime: wire.completeTime && timestampToDate(wire.completeTime),
    ageMs: wire.age ? durationToMs(wire.age) : 0,
    stageAgeMs: wire.stageAge ? durationToMs(wire.stageAge) : 0,
    blockedTimeMs: wire.blockedTime ? durationToMs(wire.blockedTime) : 0,
    etag: wire.etag,
  };
}

/** Named one by one: a card that was read may be added elsewhere with all that it says besides. */
export function contentToWire({ title, description, data, priority }: CardSettings): CardInit {
  return { title, description, data: data === undefined ? undefined : textOf(data), priority };
}

/** The values and the mask that say what to change: `null` is in the mask alone. */
export function cardChangesToWire(changes: CardChanges): { readonly card: CardInit; readonly paths: string[] } {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const paths = given.map(([name]) => {
    const path = Object.hasOwn(PATHS, name) ? PATHS[name as keyof CardSettings] : undefined;
    if (path === undefined) throw new TypeError(`${name} is nothing of a card that can be changed`);
    return path;
  });
  const values: CardSettings = Object.fromEntries(given.filter(([, value]) => value !== null));
  return { card: contentToWire(values), paths };
}

/** A string as it is, anything else as JSON; what has no JSON (undefined, a function) is empty. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

export function cardStateToWire(state: CardState): WireState {
  return WIRE_STATES[state];
}

/** A state that a newer server made up counts as blocked: it is not for this client to take. */
function cardStateFromWire(wire: WireState): CardState {
  return STATES.get(wire) ?? "blocked";
}

function leaseFromWire(wire: WireLease): CardLease {
  return {
    worker: wire.worker,
    caller: wire.caller,
    fencingToken: wire.fencingToken,
    pullTime: wire.pullTime && timestampToDate(wire.pullTime),
    ttlMs: wire.ttl && durationToMs(wire.ttl),
    expireTime: wire.expireTime && timestampToDate(wire.expireTime),
    live: wire.live,
  };
}

const WIRE_STATES: Record<CardState, WireState> = {
  waiting: WireState.WAITING,
  active: WireState.ACTIVE,
  blocked: WireState.BLOCKED,
  finished: WireState.FINISHED,
  "sent-back": WireState.SENT_BACK,
  completed: WireState.COMPLETED,
};

const STATES = new Map(Object.entries(WIRE_STATES).map(([state, wire]) => [wire, state as CardState]));
