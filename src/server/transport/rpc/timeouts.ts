/**
 * The time that a caller gives a call, counted from the arrival of its headers on the monotonic clock: both libraries make
 * of it an instant of the wall clock, which may be set meanwhile.
 *
 * And deadlines that are longer than a timer of Node can be.
 *
 * Both libraries hand a caller's timeout to `setTimeout` as it is, and that takes anything above 2³¹ - 1 ms (24.8 days)
 * for 1 ms, or for what is left of it in 32 bits. So the headers are cut before the libraries see them.
 */

/** The longest, as gRPC writes it: whole seconds, since a number of gRPC has at most eight digits. */
const LONGEST_GRPC = "2147483S";
const LONGEST_MS = 2 ** 31 - 1;

const MS_OF_UNIT: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };

/** A `grpc-timeout` that a timer can take. What is no timeout at all comes back as it is, for the library to refuse. */
export function clampGrpcTimeout(header: string): string {
  const [, digits, unit = ""] = /^(\d{1,8})([HMS])$/.exec(header) ?? [];
  return Number(digits) * (MS_OF_UNIT[unit] ?? 0) > LONGEST_MS ? LONGEST_GRPC : header;
}

/** A `connect-timeout-ms` that a timer can take. */
export function clampConnectTimeout(header: string): string {
  return /^\d{1,10}$/.test(header) && Number(header) > LONGEST_MS ? String(LONGEST_MS) : header;
}

const MICROS_OF_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000_000,
  M: 60_000_000,
  S: 1_000_000,
  m: 1_000,
  u: 1,
  n: 1e-3,
};

/** µs that a `grpc-timeout` gives, at most as many as a timer can take; undefined: none, or no timeout at all. */
export function grpcTimeout(header: unknown): number | undefined {
  if (typeof header !== "string") return undefined;
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(clampGrpcTimeout(header)) ?? [];
  const micros = MICROS_OF_UNIT[unit];
  return micros === undefined ? undefined : Number(digits) * micros;
}

/** µs that a `connect-timeout-ms` gives; undefined: none, or no timeout at all. */
export function connectTimeout(header: unknown): number | undefined {
  return typeof header === "string" && /^\d{1,10}$/.test(header)
    ? Number(clampConnectTimeout(header)) * 1000
    : undefined;
}

/** µs left until an instant of the monotonic clock; undefined: the caller has set no deadline. */
export function timeLeft(dueAt: number | undefined, now: number): number | undefined {
  return dueAt === undefined ? undefined : Math.max(0, Math.round(dueAt - now));
}
