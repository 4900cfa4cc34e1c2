/** One card in full. */

import type { Card, CardLease } from "../client/card.ts";
import { formatRoughly } from "./duration.ts";
import { type Field, formatFields } from "./fields.ts";
import { formatInstant } from "./number-text.ts";

export function cardFields(card: Card): string[] {
  const { lease, addTime, enterTime, completeTime } = card;
  const fields: readonly (readonly [string, string])[] = [
    ["card", card.id],
    ["title", card.title],
    ["stage", card.stage],
    ["state", card.state],
    ["reason", card.reason],
    ["worker", lease === undefined ? "" : workerWords(lease)],
    ["fencing token", lease === undefined ? "" : `${lease.fencingToken}`],
    ["attempt", card.attempt === 0 ? "" : `${card.attempt}`],
    ["priority", `${card.priority}`],
    ["age", formatRoughly(card.ageMs)],
    ["in its stage for", formatRoughly(card.stageAgeMs)],
    ["blocked for", card.blockedTimeMs === 0 ? "" : formatRoughly(card.blockedTimeMs)],
    ["added", instantWords(addTime)],
    ["came in", instantWords(enterTime)],
    ["completed", instantWords(completeTime)],
    ["description", card.description],
    ["data", card.data],
    ["result", card.result],
    ["etag", card.etag],
  ];
  return formatFields(fields.filter((field): field is Field => field[1] !== ""));
}

function workerWords({ worker, live, pullTime, ttlMs }: CardLease): string {
  const name = worker || "unnamed";
  if (!live) return `${name}, ended`;
  const ttl = ttlMs === undefined ? "a person's, for as long as it takes" : `ttl ${formatRoughly(ttlMs)}`;
  return `${name}, since ${instantWords(pullTime)} (${ttl})`;
}

function instantWords(instant: Date | undefined): string {
  return instant === undefined ? "" : formatInstant(instant);
}
