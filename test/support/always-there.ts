/** For an engine in the test's own process: it is never out of reach while it is open. */

import type { EngineUnavailable } from "../../src/server/engine/engine.ts";

export function alwaysThere(error: EngineUnavailable): never {
  throw error;
}
