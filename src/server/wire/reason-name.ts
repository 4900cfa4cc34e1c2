/** Reasons of the contract by their names. */

import { type Reason, ReasonSchema } from "../gen/ggen/backpressure/v1/reason_pb.ts";

/** Returns the name of a reason, as `ErrorInfo` has it; undefined: there is none, or none is known. */
export function reasonName(reason: Reason | undefined): string | undefined {
  return reason ? ReasonSchema.value[reason]?.localName : undefined;
}
