/** A card as the contract's JSON, for commands that work on it. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Card, CardLease } from "../../client/api/card.ts";
import { type CardLeaseSchema, CardSchema } from "../../client/gen/ggen/backpressure/v1/card_pb.ts";
import { cardStateToWire } from "../../client/wire/card.ts";
import { msToDuration } from "../../client/wire/time.ts";
import { jsonLine } from "../text/json-line.ts";

/** On one line. */
export function cardJson(card: Card): string {
  const { state, lease, addTime, enterTime, completeTime, ageMs, stageAgeMs, blockedTimeMs, ...same } = card;
  const message = create(CardSchema, {
    ...same,
    state: cardStateToWire(state),
    lease: lease && leaseToWire(lease),
    addTime: addTime && timestampFromDate(addTime),
    enterTime: enterTime && timestampFromDate(enterTime),
    completeTime: completeTime && timestampFromDate(completeTime),
    age: msToDuration(ageMs, "age"),
    stageAge: msToDuration(stageAgeMs, "stageAge"),
    blockedTime: msToDuration(blockedTimeMs, "blockedTime"),
  });
  return jsonLine(CardSchema, message);
}

function leaseToWire(lease: CardLease): MessageInitShape<typeof CardLeaseSchema> {
  const { worker, fencingToken, pullTime, ttlMs, expireTime, live } = lease;
  return {
    worker,
    fencingToken,
    pullTime: pullTime && timestampFromDate(pullTime),
    ttl: ttlMs === undefined ? undefined : msToDuration(ttlMs, "ttl"),
    expireTime: expireTime && timestampFromDate(expireTime),
    live,
  };
}
