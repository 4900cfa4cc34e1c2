/** What carries the calls of the package's client in tests that are the same for both: the project of the run says it. */

import { it } from "vitest";

export type Carrier = "sessions" | "streams";

export const carrier: Carrier = process.env.CARRIER === "sessions" ? "sessions" : "streams";

/** A test of what each lease, or card, does with a stream of its own. */
export const itOfStreams = it.skipIf(carrier === "sessions");
