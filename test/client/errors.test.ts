import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AdmissionError, ServerError, ServerUnavailableError } from "../../src/client/api/errors.ts";
import { ErrorInfoSchema } from "../../src/client/gen/google/rpc/error_details_pb.ts";
import { toClientError } from "../../src/client/wire/error.ts";
import { draining, invalidRequest, type WireError } from "../../src/server/wire/error-wire.ts";
import { onTheWire } from "./support/fake-service.ts";

const ADDRESS = "db.example:50051";

function received(error: WireError): Error {
  return toClientError(onTheWire(error), ADDRESS);
}

describe("an error of the service", () => {
  it("brings a violation for each field of a bad request", () => {
    const error = received(
      invalidRequest([
        { field: "claims[1].key", description: "is required", reason: "KEY_REQUIRED" },
        { field: "ttl", description: "must be at least 0.1s", reason: "ttl.zero_or_100ms" },
      ]),
    );
    expect(error).toBeInstanceOf(AdmissionError);
    expect(error).toMatchObject({
      reason: "INVALID_REQUEST",
      code: "INVALID_ARGUMENT",
      violations: [
        { field: "claims[1].key", description: "is required", rule: "KEY_REQUIRED" },
        { field: "ttl", description: "must be at least 0.1s", rule: "ttl.zero_or_100ms" },
      ],
    });
    expect(error.message).toBe("claims[1].key: is required; ttl: must be at least 0.1s");
  });

  it("brings the time after which to ask again", () => {
    expect(received(draining(1_500_000))).toMatchObject({
      reason: "DRAINING",
      code: "UNAVAILABLE",
      retryAfterMs: 1500,
    });
  });

  it("keeps what the transport said as its cause, and is never that itself", () => {
    const error = received(draining(0));
    expect(error).not.toBeInstanceOf(ConnectError);
    expect(error.cause).toBeInstanceOf(ConnectError);
  });

  it("that only a newer server knows has the reason UNKNOWN", () => {
    const info = { desc: ErrorInfoSchema, value: { reason: "BORED", domain: "ggen.backpressure" } };
    const error = toClientError(new ConnectError("no", Code.ResourceExhausted, undefined, [info]), ADDRESS);
    expect(error).toMatchObject({ reason: "UNKNOWN", code: "RESOURCE_EXHAUSTED", message: "no" });
  });

  it("of another service is none of ours", () => {
    const info = { desc: ErrorInfoSchema, value: { reason: "QUEUE_FULL", domain: "example.com" } };
    const error = toClientError(new ConnectError("no", Code.PermissionDenied, undefined, [info]), ADDRESS);
    expect(error).toBeInstanceOf(ServerError);
  });
});

describe("an error of the connection", () => {
  it.each([
    ["nothing listens", new ConnectError("connect ECONNREFUSED", Code.Unavailable)],
    ["the connection is reset", new ConnectError("read ECONNRESET", Code.Aborted)],
    ["the stream is reset", new ConnectError("http/2 stream closed with error code CANCEL (0x8)", Code.Canceled)],
    ["no answer comes in time", new ConnectError("the operation timed out", Code.DeadlineExceeded)],
    ["fetch fails", new TypeError("Failed to fetch")],
    ["the stream breaks off", "missing EndStreamResponse"],
    [
      "the port speaks something else",
      ConnectError.from(Object.assign(new Error("Protocol error"), { code: "ERR_HTTP2_ERROR" }), Code.Internal),
    ],
  ])("is a ServerUnavailableError that names the address when %s", (_, thrown) => {
    const error = toClientError(thrown, ADDRESS);
    expect(error).toBeInstanceOf(ServerUnavailableError);
    expect(error).toMatchObject({ address: ADDRESS });
    expect(error.message).toContain(ADDRESS);
  });
});

describe("an error of neither", () => {
  it("is a ServerError with its code", () => {
    const error = toClientError(new ConnectError("an internal error", Code.Internal), ADDRESS);
    expect(error).toMatchObject({
      name: "ServerError",
      code: "INTERNAL",
      message: "the server failed: an internal error",
    });
  });

  it("asks whether this is the right server when it does not know the method", () => {
    const error = toClientError(new ConnectError("HTTP 404", Code.Unimplemented), ADDRESS);
    expect(error.message).toContain(`does ${ADDRESS} serve this version of ggen.backpressure.v1?`);
  });
});

describe("an error that no server sent", () => {
  const systemError = (code: string) => Object.assign(new Error(`${code} 127.0.0.1`), { code });

  it.each([
    ["a closed port", new ConnectError("refused", Code.Unavailable, undefined, undefined, systemError("ECONNREFUSED"))],
    ["a reset that the transport does not know", ConnectError.from(systemError("EPIPE"), Code.Internal)],
    ["HTTP/2's own", ConnectError.from(systemError("ERR_HTTP2_SESSION_ERROR"), Code.Internal)],
    ["a certificate", ConnectError.from(systemError("DEPTH_ZERO_SELF_SIGNED_CERT"), Code.Internal)],
    ["a host name", ConnectError.from(systemError("ERR_TLS_CERT_ALTNAME_INVALID"), Code.Internal)],
    ["fetch in Node", ConnectError.from(new TypeError("fetch failed", { cause: systemError("ECONNREFUSED") }))],
    ["fetch in Chromium", ConnectError.from(new TypeError("Failed to fetch"))],
    ["a body cut in Chromium", ConnectError.from(new TypeError("network error"))],
    ["a proxy's status", new ConnectError("HTTP 503", Code.Unavailable)],
    ["a proxy's bad status", new ConnectError("HTTP 500", Code.Unknown)],
  ])("is unavailability, from %s", (_, thrown) => {
    expect(toClientError(thrown, ADDRESS)).toBeInstanceOf(ServerUnavailableError);
  });

  const file = Object.assign(new Error("no such file"), { code: "ENOENT", syscall: "open", path: "ca.pem" });
  const argument = Object.assign(new TypeError("bad argument"), { code: "ERR_INVALID_ARG_TYPE" });
  const assertion = Object.assign(new Error("1 == 2"), { name: "AssertionError", code: "ERR_ASSERTION" });
  it.each([
    ["a runtime that lacks a function", new TypeError("Promise.withResolvers is not a function")],
    ["a name that is not defined", new ReferenceError("token is not defined")],
    ["an interceptor's own", new Error("no credentials configured")],
    ["a file that cannot be read", file],
    ["an argument that Node does not take", argument],
    ["an assertion", assertion],
  ])("comes out as it was thrown, from %s", (_, thrown) => {
    expect(toClientError(thrown, ADDRESS)).toBe(thrown);
    expect(toClientError(ConnectError.from(thrown, Code.Internal), ADDRESS)).toBe(thrown);
  });
});
