/** One limiter in full: what goes on in it, and how it is set. */

import { isMessage } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Limiter, LimiterSchema, type LimiterStatus } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import { reasonFromWire } from "../../client/wire/reason.ts";
import { durationToMs } from "../../client/wire/time.ts";
import { standingOf } from "../../explain/standing.ts";
import { causeWords } from "../../explain/words.ts";
import { formatDuration } from "../../text/duration.ts";
import { formatInstant, formatNumber } from "../../text/number.ts";
import { type Field, formatFields } from "../text/fields.ts";
import { formatLimiterRate } from "../text/rate.ts";
import { bar, inUse, spanWords, stateWords } from "./limiter-table.ts";

const BAR = 20;

/** `key`: whose status it is; undefined: of all keys together. */
export function limiterFields(limiter: Limiter, key: string | undefined): string[] {
  const { name, status, declared, keyed, etag, createTime, updateTime } = limiter;
  const origin = declared ? "declared in the server's file" : "made by request";
  return formatFields([
    ["limiter", key === undefined ? name : `${name} (key ${key})`],
    ["state", `${stateWords(limiter)}, ${origin}`],
    ...(status === undefined ? [] : statusFields(limiter, status, keyed && key === undefined)),
    ...settingFields(limiter),
    ["created", instantWords(createTime)],
    ["changed", `${instantWords(updateTime)} (etag ${etag})`],
  ]);
}

function statusFields(limiter: Limiter, status: LimiterStatus, isOfAllKeys: boolean): Field[] {
  const { maxRps, maxConcurrent } = limiter;
  const { leases, orphanedLeases, keys, refusals } = status;
  const orphaned = orphanedLeases === 0n ? "" : `, ${formatNumber(Number(orphanedLeases))} of them orphaned`;
  const refused = refusals.map(({ reason, count }) => `${reasonFromWire(reason)} ${formatNumber(Number(count))}`);
  const fields: Field[] = [];
  if (isOfAllKeys) fields.push(["keys in use", formatNumber(Number(keys))]);
  if (maxConcurrent !== undefined) fields.push(["permits in use", `${inUse(status)} ${bar(status, BAR)}`]);
  if (maxRps !== undefined && !isOfAllKeys) fields.push(["tokens available", formatNumber(status.tokensAvailable)]);
  return [
    ...fields,
    ["leases", `${formatNumber(Number(leases))}${orphaned}`],
    ["waiting", waitingWords(limiter, status)],
    ["asked for", `${formatNumber(status.arrivalRate)}/s`],
    ["admitted (λ)", `${formatNumber(status.admissionRate)}/s`],
    ["completed (μ)", `${formatNumber(status.completionRate)}/s`],
    ["held", `${spanWords(status.meanHoldTime)} on average`],
    ["waited", `${spanWords(status.waitTimeP50)} p50, ${spanWords(status.waitTimeP99)} p99`],
    ["granted", formatNumber(Number(status.grantedCount))],
    ["refused", refused.length === 0 ? "0" : `${refused.join(", ")} (${formatNumber(status.refusalRate)}/s now)`],
    ["overloaded", formatNumber(Number(status.overloadedCount))],
  ];
}

/** `3, the oldest for 12m (concurrency)`. */
function waitingWords(limiter: Limiter, { waiters, oldestWait }: LimiterStatus): string {
  const count = formatNumber(Number(waiters));
  if (oldestWait === undefined) return count;
  const cause = causeWords(standingOf(limiterFromWire(limiter)).cause);
  return `${count}, the oldest for ${spanWords(oldestWait)}${cause && ` (${cause})`}`;
}

/** In the words of the configuration file, whichever the contract has. */
function settingFields(limiter: Limiter): Field[] {
  const message = reflect(LimiterSchema, limiter);
  return LimiterSchema.fields.flatMap((field): Field[] => {
    // The rate is one setting in two notations.
    if (field.localName === "maxRps") return named("rate", formatLimiterRate(limiter));
    if (ELSEWHERE.has(field.localName) || !message.isSet(field)) return [];
    return named(field.name, valueWords(limiter[field.localName as keyof Limiter]));
  });
}

/** Fields that are no settings, or are shown with the state. */
const ELSEWHERE: ReadonlySet<string> = new Set<keyof Limiter>([
  "name",
  "rate",
  "paused",
  "etag",
  "declared",
  "state",
  "createTime",
  "updateTime",
  "status",
]);

function named(name: string, words: string | undefined): Field[] {
  return words === undefined ? [] : [[name, words]];
}

function valueWords(value: unknown): string {
  return isMessage(value, DurationSchema) ? formatDuration(durationToMs(value)) : String(value);
}

function instantWords(instant: Timestamp | undefined): string {
  return instant === undefined ? "-" : formatInstant(timestampDate(instant));
}
