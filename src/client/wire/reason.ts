/** Reasons: names and numbers of the contract to the client's union. */

import type { Reason } from "../api/reasons.ts";
import { Reason as WireReason } from "../gen/ggen/backpressure/v1/reason_pb.ts";

/** That each is a `Reason` is checked by the compiler, where the functions below return one. */
type WireName = Exclude<keyof typeof WireReason, "UNSPECIFIED">;

const NAMES = new Map<number, WireName>();
for (const [name, value] of Object.entries(WireReason)) {
  if (name !== "UNSPECIFIED") NAMES.set(value, name as WireName);
}

/** A reason by its name without prefix, as `ErrorInfo` carries it. */
export function reasonFromName(name: string): Reason {
  return name !== "UNSPECIFIED" && Object.hasOwn(WireReason, name) ? (name as WireName) : "UNKNOWN";
}

/** A reason by its number. */
export function reasonFromWire(wire: WireReason): Reason {
  return NAMES.get(wire) ?? "UNKNOWN";
}
