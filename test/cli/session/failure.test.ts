import { describe, expect, it } from "vitest";
import { failureOf } from "../../../src/cli/session/failure.ts";
import { Interrupted } from "../../../src/cli/session/signals.ts";
import { AdmissionError, LeaseLostError, ServerError, ServerUnavailableError } from "../../../src/client/api/errors.ts";

describe("failureOf", () => {
  it.each([
    ["RATE_EXHAUSTED", "RESOURCE_EXHAUSTED", 1],
    ["WAIT_TIMEOUT", "DEADLINE_EXCEEDED", 1],
    ["WAITER_CANCELLED", "ABORTED", 1],
    ["INVALID_REQUEST", "INVALID_ARGUMENT", 2],
    ["DRAINING", "UNAVAILABLE", 3],
    ["LIMITER_NOT_FOUND", "NOT_FOUND", 4],
    ["CLAIM_EXCEEDS_LIMIT", "FAILED_PRECONDITION", 5],
    ["LIMITER_EXISTS", "ALREADY_EXISTS", 5],
    ["ETAG_MISMATCH", "ABORTED", 5],
    ["LEASE_REVOKED", "ABORTED", 6],
    ["UNKNOWN", "RESOURCE_EXHAUSTED", 1],
    ["UNKNOWN", "DATA_LOSS", 70],
  ] as const)("gives %s (%s) the exit code %d", (reason, code, exitCode) => {
    const error = new AdmissionError("no", { reason, code, retryAfterMs: 250 });
    expect(failureOf(error)).toMatchObject({ exitCode, reason, message: "no", retryAfterMs: 250 });
  });

  it.each([
    ["ECONNREFUSED", "connection refused"],
    ["ENOTFOUND", "there is no such host"],
    ["ETIMEDOUT", "connection timed out"],
  ])("says in words why a server cannot be reached: %s", (code, words) => {
    const node = Object.assign(new Error(`connect ${code} 10.0.0.7:50051`), { code });
    const error = new ServerUnavailableError("db:50051", code, { cause: new Error("unavailable", { cause: node }) });
    const { exitCode, message } = failureOf(error);
    expect(exitCode).toBe(3);
    expect(message.startsWith(`cannot reach db:50051: ${words}. Is the server running?`)).toBe(true);
  });

  it("says what the transport said where Node has no code for it", () => {
    const said = Object.assign(new Error("[unavailable] GOAWAY"), { rawMessage: "GOAWAY" });
    expect(failureOf(new ServerUnavailableError("db:50051", "GOAWAY", { cause: said })).message).toContain(
      "db:50051: GOAWAY.",
    );
  });

  it.each([
    [new ServerError("the server failed", "INTERNAL"), { exitCode: 70, reason: "INTERNAL" }],
    [new LeaseLostError("L", "VALIDITY_EXPIRED", "late"), { exitCode: 6, reason: "VALIDITY_EXPIRED" }],
    [new Interrupted("SIGTERM"), { exitCode: 143 }],
    [new TypeError("x is not a function"), { exitCode: 70, reason: "BUG" }],
  ])("knows %s", (error, expected) => {
    expect(failureOf(error)).toMatchObject(expected);
  });
});
