/** When to send a refused call again, in the trailer that retry policies of gRPC read (proposal A6). */

import type { Retry } from "../../wire/error-wire.ts";

export const PUSHBACK_KEY = "grpc-retry-pushback-ms";

/** Returns ms after which to send the call again; below 0: not at all. */
export function pushbackOf(retry: Retry): string {
  return retry === "never" ? "-1" : String(retry);
}
