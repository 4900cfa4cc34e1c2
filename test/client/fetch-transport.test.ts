/** Connect over `fetch`, where something between cuts or spoils the answer. The suite of Connect has the rest (test/conformance). */

import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { describe, expect, it } from "vitest";
import {
  AcquireResponseSchema,
  AdmissionService,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createFetchTransport } from "../../src/client/transport/fetch-transport.ts";
import { toClientError } from "../../src/client/wire/error.ts";

const WAITING = toBinary(
  AcquireResponseSchema,
  create(AcquireResponseSchema, { event: { case: "waiting", value: {} } }),
);
const MESSAGE = encodeEnvelope(0, WAITING);
const END = encodeEnvelope(2, new TextEncoder().encode("{}"));

function clientOf(body: BodyInit, { status = 200, type = "application/connect+proto" } = {}) {
  const fetch = async () => new Response(body, { status, headers: { "content-type": type } });
  return createClient(AdmissionService, createFetchTransport({ baseUrl: "http://server", fetch }));
}

/** What is heard of a stream with this body, and the client's error for how it ended. */
async function listen(body: BodyInit) {
  const heard: unknown[] = [];
  try {
    for await (const { event } of clientOf(body).acquire({})) heard.push(event.case);
    return { heard };
  } catch (thrown) {
    return { heard, error: toClientError(thrown, "server") };
  }
}

describe("a stream", () => {
  it("is over when its end has come", async () => {
    expect(await listen(new Blob([MESSAGE, MESSAGE, END]))).toEqual({ heard: ["waiting", "waiting"] });
  });

  it.each([
    ["after a message", MESSAGE],
    ["within a message", MESSAGE.subarray(0, MESSAGE.byteLength - 1)],
    ["within the length of a message", MESSAGE.subarray(0, 3)],
    ["before anything", MESSAGE.subarray(0, 0)],
  ])("that is closed without its end, %s, is a lost connection, which is made good", async (_where, rest) => {
    const { heard, error } = await listen(new Blob([MESSAGE, new Uint8Array(rest)]));
    expect(heard[0]).toBe("waiting");
    expect(error).toMatchObject({ name: "ServerUnavailableError", detail: "the stream has broken off" });
  });

  it("whose message is none of the contract is a fault of the server", async () => {
    const { error } = await listen(new Blob([encodeEnvelope(0, Uint8Array.of(0xff)), END]));
    expect(error).toMatchObject({ name: "ServerError", code: "INTERNAL" });
    expect(error?.message).toContain("the answer is no ggen.backpressure.v1.AcquireResponse");
  });

  it("that comes compressed is a fault of the server", async () => {
    const { error } = await listen(new Blob([encodeEnvelope(1, WAITING), END]));
    expect(error).toMatchObject({ name: "ServerError", code: "INTERNAL" });
  });
});

describe("a call with one answer", () => {
  const type = "application/proto";

  it.each([
    ["a page of a proxy", "<html>502</html>", { status: 502, type: "text/html" }, "ServerUnavailableError"],
    ["a page instead of an answer", "<html>hello</html>", { type: "text/html" }, "ServerUnavailableError"],
    ["no message of the contract", Uint8Array.of(0xff), { type }, "ServerError"],
  ])("that gets %s says so", async (_what, body, options, name) => {
    const thrown = await clientOf(body as BodyInit, options)
      .tryAcquire({})
      .catch((error: unknown) => error);
    expect(toClientError(thrown, "server").name).toBe(name);
  });
});
