/** What `doctor` says of a server that does not serve this caller. */

import { expect, it } from "vitest";
import { checkCaller } from "../../../src/cli/doctor/check-caller.ts";
import { AdmissionError, PermissionDeniedError, UnauthenticatedError } from "../../../src/client/api/errors.ts";

const NOW = Date.UTC(2026, 10, 30);
const NOTHING = { token: false, certificate: false, tokenEndsAt: undefined };
const unknown = new UnauthenticatedError("who?", { reason: "UNAUTHENTICATED", code: "UNAUTHENTICATED" });

it.each([
  ["no credential", NOTHING, /shows none/, /--token-file, BACKPRESSURE_TOKEN_FILE.*--cert-file and --key-file/],
  ["a token", { ...NOTHING, token: true }, /token that --token-file names does not count/, /not withdrawn/],
  [
    "a token that has run out",
    { ...NOTHING, token: true, tokenEndsAt: NOW - 1000 },
    /has run out on 2026-11-29T23:59:59/,
    /get another/,
  ],
  ["a token that has not", { ...NOTHING, token: true, tokenEndsAt: NOW + 1000 }, /does not count/, /audience/],
  ["a certificate", { ...NOTHING, certificate: true }, /--cert-file/, /tls\.client_ca_file/],
])("with %s it says why the caller is unknown, and what to do", (_, shown, why, todo) => {
  expect(checkCaller("bp:50051", unknown, shown, NOW)).toEqual({
    level: "problem",
    check: "caller",
    what: "bp:50051 answers, and does not know who calls",
    why: expect.stringMatching(why),
    todo: expect.stringMatching(todo),
  });
});

it("says which right a caller lacks, in the server's words", () => {
  const denied = new PermissionDeniedError("observe of limiter/db is not allowed", {
    reason: "NOT_ALLOWED",
    code: "PERMISSION_DENIED",
  });
  expect(checkCaller("bp:50051", denied, NOTHING, NOW)).toMatchObject({
    why: "observe of limiter/db is not allowed",
    todo: expect.stringContaining("may: [observe]"),
  });
});

it("has nothing to say of other failures", () => {
  const other = new AdmissionError("full", { reason: "QUEUE_FULL", code: "RESOURCE_EXHAUSTED" });
  for (const thrown of [other, new Error("lost")]) {
    expect(checkCaller("bp:50051", thrown, NOTHING, NOW)).toBeUndefined();
  }
});
