/** Durations and instants: µs in the domain, well-known types on the wire. */

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

const MICROS = 1_000_000;

/** The duration of so many µs; a fraction of one is rounded. */
export function microsToDuration(micros: number): Duration {
  const whole = Math.round(micros);
  return {
    $typeName: "google.protobuf.Duration",
    seconds: BigInt(Math.trunc(whole / MICROS)),
    nanos: (whole % MICROS) * 1000,
  };
}

/** µs, rounded up, so that a bound never shrinks to nothing. */
export function durationToMicros(duration: Duration): number {
  return Number(duration.seconds) * MICROS + Math.ceil(duration.nanos / 1000);
}

/** The timestamp of so many ms since 1970. */
export function msToTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return {
    $typeName: "google.protobuf.Timestamp",
    seconds: BigInt(seconds),
    nanos: Math.floor((ms - seconds * 1000) * 1e6),
  };
}

/** ms since 1970. */
export function timestampToMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + nanos / 1e6;
}

/** Unset for what is not known. */
export function optionalTimestamp(ms: number | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : msToTimestamp(ms);
}

/** Unset for what is not known. */
export function optionalDuration(micros: number | undefined): Duration | undefined {
  return micros === undefined ? undefined : microsToDuration(micros);
}
