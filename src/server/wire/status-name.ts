/** The names of status codes, as the protocols write them. */

import { Code } from "@connectrpc/connect";

/** Returns the name that gRPC gives to a code; undefined: OK. */
export function grpcCodeName(code: Code | undefined): string {
  if (code === undefined) return "OK";
  // Connect spells it with one l.
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

/** Returns the name that Connect gives to it; it has none for OK. */
export function connectCodeName(code: Code | undefined): string | undefined {
  return code === undefined ? undefined : Code[code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
}

const FAULTS: ReadonlySet<Code | undefined> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/** Whether a code tells of a fault of the server's, by the conventions of OpenTelemetry, and not of a refusal. */
export function isServerFault(code: Code | undefined): boolean {
  return FAULTS.has(code);
}
