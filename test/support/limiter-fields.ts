/** The fields of a limiter as the contract has them, so that a new one is asked for by no list in a test. */

import { LimiterSchema } from "../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";

/** What the server alone says. */
const OUTPUT = ["state", "create_time", "update_time", "etag", "declared", "status"];

/** Names of those that a file or a request may set, in the contract's order. */
export const SETTABLE_FIELDS = LimiterSchema.fields.map(({ name }) => name).filter((name) => !OUTPUT.includes(name));
