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

/** Spans of which most grants say one: the ttls of limiters, and their halves. */
const usual = new Map<number, Duration>();
const MOST_USUAL = 1_000;

/** The same, for spans that are said again and again: always the same message, which nobody changes. */
export function usualDuration(micros: number): Duration {
  let duration = usual.get(micros);
  if (duration === undefined) {
    if (usual.size >= MOST_USUAL) usual.clear();
    duration = microsToDuration(micros);
    usual.set(micros, duration);
  }
  return duration;
}

/** µs, rounded up, so that a bound never shrinks to nothing. */
export function durationToMicros(duration: Duration): number {
  return Number(duration.seconds) * MICROS + Math.ceil(duration.nanos / 1000);
}

let latestSecond = 0;
let latestSeconds = 0n;

/** The timestamp of so many ms since 1970. */
export function msToTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  // Of a thousand grants in a second each would make this number anew.
  if (seconds !== latestSecond) {
    latestSeconds = BigInt(seconds);
    latestSecond = seconds;
  }
  return {
    $typeName: "google.protobuf.Timestamp",
    seconds: latestSeconds,
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
