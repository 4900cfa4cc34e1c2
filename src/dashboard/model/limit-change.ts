/** A change of a limiter's limits: what was typed, and what will come of it. */

import type { Limiter, LimiterChanges } from "../../client/api/limiter.ts";
import { formatRate, parseRate } from "../../client/api/rate.ts";
import { formatCount, formatNumber } from "../../text/number.ts";

/** As it stands in the fields of the form; an empty text is no limit, or the default. */
export interface LimitFields {
  readonly maxConcurrent: string;
  readonly rate: string;
  readonly burstSize: string;
  readonly maxWaiters: string;
}

export function fieldsOf({ maxConcurrent, maxWaiters, burstSize, ...limiter }: Limiter): LimitFields {
  return {
    maxConcurrent: textOf(maxConcurrent),
    rate: rateText(limiter),
    burstSize: textOf(burstSize),
    maxWaiters: textOf(maxWaiters),
  };
}

/** Returns a limiter's rate as it is typed: `10/m`; empty: it has none. */
export function rateText({ rate, maxRps }: Pick<Limiter, "rate" | "maxRps">): string {
  if (rate !== undefined) return formatRate(rate);
  return maxRps === undefined ? "" : `${Number(maxRps.toFixed(6))}/s`;
}

/** Returns what differs; throws a `RangeError` that says which field cannot be read. */
export function changesOf(limiter: Limiter, typed: LimitFields): LimiterChanges {
  const before = fieldsOf(limiter);
  return {
    ...(typed.maxConcurrent !== before.maxConcurrent && {
      maxConcurrent: countOf(typed.maxConcurrent, "The concurrency limit"),
    }),
    ...(typed.rate !== before.rate && rateChange(typed.rate)),
    ...(typed.burstSize !== before.burstSize && { burstSize: countOf(typed.burstSize, "The burst") }),
    ...(typed.maxWaiters !== before.maxWaiters && {
      maxWaiters: countOf(typed.maxWaiters, "The bound of the queue", 0),
    }),
  };
}

/** Returns what will come of a change, a sentence each, as far as the figures of now tell it; empty: nothing changes. */
export function previewOf(limiter: Limiter, changes: LimiterChanges): readonly string[] {
  return [...concurrencyPreview(limiter, changes), ...ratePreview(limiter, changes), ...queuePreview(limiter, changes)];
}

function concurrencyPreview({ keyed, maxConcurrent, status }: Limiter, changes: LimiterChanges): string[] {
  const next = changes.maxConcurrent;
  if (next === undefined) return [];
  const { permitsInUse, waiters } = status;
  if (next === null) {
    return [`There is no concurrency limit any more${waiters === 0 ? "" : `: ${waits(waiters)} as the rate allows`}.`];
  }
  const each = keyed ? " for each key" : "";
  if (maxConcurrent === undefined) return [`At most ${formatCount(next, "permit")} are held at once${each}.`];
  if (keyed)
    return [`Each key has ${formatCount(next, "permit")} instead of ${formatNumber(maxConcurrent)}; what runs stays.`];
  if (permitsInUse > next) {
    return [
      `${formatCount(permitsInUse, "permit")} in use stay so, and nothing is granted until ${formatNumber(permitsInUse - next + 1)} have come back.`,
      `Waiters that ask for more than ${formatCount(next, "permit")} at once are refused.`,
    ];
  }
  const free = next - permitsInUse;
  const granted = Math.min(free, waiters);
  const first = `${formatNumber(permitsInUse)} of ${formatCount(next, "permit")} will be in use`;
  return [
    granted > 0
      ? `${first}, and up to ${formatNumber(granted)} of ${formatCount(waiters, "waiter")} are granted at once.`
      : `${first}.`,
  ];
}

function ratePreview({ status }: Limiter, changes: LimiterChanges): string[] {
  const { rate, maxRps, burstSize } = changes;
  if (rate === null || maxRps === null) {
    const { waiters } = status;
    return [`There is no rate limit any more${waiters === 0 ? "" : `: ${waits(waiters)} as permits allow`}.`];
  }
  if (typeof rate === "string") {
    const saved =
      burstSize === undefined
        ? ""
        : `, ${burstSize === null ? "with the default burst" : `with bursts of ${formatCount(burstSize, "token")}`}`;
    return [`From the next grant on tokens come in at ${rate}${saved}.`];
  }
  if (burstSize === undefined) return [];
  return [
    burstSize === null
      ? "Bursts are what 50 ms bring, at least one token."
      : `An idle limiter saves up ${formatCount(burstSize, "token")}.`,
  ];
}

function queuePreview({ status }: Limiter, { maxWaiters }: LimiterChanges): string[] {
  if (maxWaiters === undefined) return [];
  const next = maxWaiters ?? 10_000;
  const stay =
    status.waiters > next ? `: those ${formatNumber(status.waiters)} that wait stay, and no other joins them` : "";
  return [next === 0 ? "Requests do not wait any more." : `At most ${formatNumber(next)} wait at once${stay}.`];
}

function waits(waiters: number): string {
  return waiters === 1 ? "the one that waits is granted" : `the ${formatNumber(waiters)} that wait are granted`;
}

function rateChange(text: string): LimiterChanges {
  if (text.trim() === "") return { rate: null };
  parseRateOf(text);
  return { rate: text.trim() };
}

function parseRateOf(text: string): void {
  try {
    parseRate(text);
  } catch (error) {
    throw new RangeError(`The rate ${(error as Error).message}.`);
  }
}

function countOf(text: string, what: string, least = 1): number | null {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const count = Number(trimmed);
  if (!Number.isSafeInteger(count) || count < least) {
    throw new RangeError(`${what} must be a whole number, ${least} or more; it is ${trimmed}.`);
  }
  return count;
}

function textOf(count: number | undefined): string {
  return count === undefined ? "" : String(count);
}
