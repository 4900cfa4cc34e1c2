/** Durations and instants: ms and `Date`s in the client, well-known types on the wire. */

import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp } from "@bufbuild/protobuf/wkt";

/** The duration of so many ms; throws a `RangeError` that names `field` for what is none. */
export function msToDuration(ms: number, field: string): Duration {
  if (!Number.isFinite(ms) || ms < 0) {
    throw new RangeError(`${field} must be a number of milliseconds, 0 or more; it is ${ms}`);
  }
  const nanos = Math.round(ms * 1e6);
  return create(DurationSchema, { seconds: BigInt(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 });
}

export function durationToMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

export function timestampToDate(timestamp: Timestamp): Date {
  return new Date(Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6));
}
