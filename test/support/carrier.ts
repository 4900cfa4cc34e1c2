/** What carries the calls of the package's client in tests that are the same for both: the project of the run says it. */

export type Carrier = "sessions" | "streams";

export const carrier: Carrier = process.env.CARRIER === "sessions" ? "sessions" : "streams";
