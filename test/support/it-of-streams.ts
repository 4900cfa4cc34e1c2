import { it } from "vitest";
import { carrier } from "./carrier.ts";

/** A test of what each lease, or card, does with a stream of its own. */
export const itOfStreams = it.skipIf(carrier === "sessions");
