/** How callers are answered where the engine cannot be reached. */

import { EngineUnavailable } from "../engine/engine.ts";
import { engineUnavailable, internalError, type WireError } from "../wire/error-wire.ts";

/** Returns the error for a stream; anything but an engine out of reach is a bug. */
export function failureOf(thrown: unknown): WireError {
  return thrown instanceof EngineUnavailable ? engineUnavailable(thrown.decided) : internalError();
}
