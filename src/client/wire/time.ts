/** Durations and instants: ms and `Date`s in the client, well-known types on the wire. */

import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** ms: the longest timer of JavaScript, 24.8 days. Libraries take a longer one for 1 ms. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** ms: the longest `Duration` of the well-known types, about 10,000 years. */
const LONGEST_DURATION = 315_576_000_000 * 1000;

/**
 * Returns the timeout of a call as the protocols can carry it: whole ms, since Connect refuses a fraction and gRPC libraries misread
 * one, at least 1, and no more than a timer can wait. Throws a `RangeError` for what is no number.
 */
export function wholeTimeout(ms: number): number {
  if (Number.isNaN(ms)) throw new RangeError("the timeout of a call must be a number of milliseconds; it is NaN");
  return Math.min(LONGEST_TIMEOUT, Math.max(1, Math.ceil(ms)));
}

/** Returns the duration of so many ms, to the ns; throws a `RangeError` that names `field` for what is none. */
export function msToDuration(ms: number, field: string): Duration {
  if (!(ms >= 0 && ms <= LONGEST_DURATION)) {
    throw new RangeError(`${field} must be a number of milliseconds, 0 to ${LONGEST_DURATION}; it is ${ms}`);
  }
  // Each part by itself: a product of ms and a million has lost its last digits in doubles.
  const nanos = Math.round((ms % 1000) * 1e6);
  const carry = nanos === 1e9 ? 1 : 0;
  return create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000) + carry), nanos: carry === 1 ? 0 : nanos });
}

/** The duration of so many whole µs. */
export function microsToDuration(micros: number): Duration {
  const seconds = Math.floor(micros / 1e6);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: (micros - seconds * 1e6) * 1000 });
}

export function durationToMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

export function timestampToDate(timestamp: Timestamp): Date {
  return new Date(Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6));
}

export function dateToTimestamp(date: Date): Timestamp {
  const ms = date.getTime();
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1e6 });
}
