/**
 * Deadlines that are longer than a timer of Node can be.
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
