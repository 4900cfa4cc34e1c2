/** What the gRPC port answers to requests that grpc-js would take for calls, and how it writes what it answers. */

import type { IncomingHttpHeaders } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  AdmissionService,
  TryAcquireRequestSchema,
  TryAcquireResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BadRequestSchema } from "../../../src/server/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../src/server/gen/google/rpc/status_pb.ts";
import { createRpcService } from "../../../src/server/service/rpc.ts";
import { invalidRequest } from "../../../src/server/wire/error-wire.ts";
import { pathOf } from "./support/grpc-client.ts";
import { connectHttp2, envelope, openGrpcCall } from "./support/http2-client.ts";
import { startGrpc } from "./support/ports.ts";

const { acquire, tryAcquire } = AdmissionService.method;
const CLAIM = { claims: [{ limiter: "l" }] };
const REQUEST = envelope(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM)));

/** Refuses all limiters but one, as a fault in the field of their name. */
const service = createRpcService(AdmissionService, {
  tryAcquire({ claims: [claim] }) {
    if (claim?.limiter === "l") return create(TryAcquireResponseSchema);
    throw invalidRequest([{ field: claim?.limiter ?? "", description: "is not there", reason: "none" }]);
  },
  acquire: (_request, stream) => stream.end(),
});

/** Headers and trailers of the answer. */
async function answerTo(headers: Record<string, string>, { method = tryAcquire, body = REQUEST } = {}) {
  const { address } = await startGrpc([service]);
  const call = openGrpcCall(connectHttp2(address), pathOf(method), headers);
  call.end(body);
  let fields: IncomingHttpHeaders = {};
  for (const event of ["response", "trailers"]) {
    call.on(event, (more: IncomingHttpHeaders) => {
      fields = { ...fields, ...more };
    });
  }
  call.resume();
  await new Promise((resolve) => call.once("close", resolve));
  return fields;
}

test.each([
  [{ ":method": "DELETE" }, 405, "13", "a call of gRPC is a POST, not a DELETE"],
  [{ ":method": "PUT" }, 405, "13", "not a PUT"],
  [{ "content-type": "application/grpc+json" }, 415, "12", "not application/grpc+json"],
  [{ "content-type": "application/grpc+foo" }, 415, "12", "not application/grpc+foo"],
  [{ "content-type": "application/grpc-web+proto" }, 415, "12", "gRPC-Web is served by the web port"],
  [{ "content-type": "application/grpcfoo" }, 415, "12", "not application/grpcfoo"],
  [{ "grpc-encoding": "br" }, 200, "12", "not by br"],
  [{ "grpc-encoding": "gzip, gzip" }, 200, "12", "not by gzip, gzip"],
  [{ "grpc-encoding": "x".repeat(100) }, 200, "12", `not by ${"x".repeat(64)}`],
])("%j is refused in words", async (headers, status, code, words) => {
  const answer = await answerTo(headers as unknown as Record<string, string>);
  expect(answer).toMatchObject({ ":status": status, "content-type": "application/grpc", "grpc-status": code });
  expect(decodeURIComponent(String(answer["grpc-message"]))).toContain(words);
  expect(String(answer["grpc-message"]).length).toBeLessThan(300);
});

test("an unknown compression is answered with the known ones, and a wrong method with the right one", async () => {
  expect(await answerTo({ "grpc-encoding": "zstd" })).toMatchObject({
    "grpc-accept-encoding": "identity,deflate,gzip",
  });
  expect(await answerTo({ ":method": "PATCH" })).toMatchObject({ allow: "POST" });
});

test.each([
  {},
  { "content-type": "application/grpc+proto" },
  { "content-type": "application/grpc;charset=utf-8" },
  { "content-type": "application/grpc+proto ; charset=utf-8" },
  { "grpc-encoding": "identity" },
  { "grpc-encoding": "deflate" },
  { "grpc-encoding": "gzip" },
])("%j is served, and OK comes without a message", async (headers) => {
  for (const method of [tryAcquire, acquire] as const) {
    const answer = await answerTo(headers as Record<string, string>, { method: method as typeof tryAcquire });
    expect(answer).toMatchObject({ ":status": 200, "grpc-status": "0" });
    expect(answer).not.toHaveProperty("grpc-message");
  }
});

test("details come without padding, whatever their length", async () => {
  const lengths = new Set<number>();
  for (const limiter of ["x", "xy", "xyz"]) {
    const body = envelope(
      toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, { claims: [{ limiter }] })),
    );
    const answer = await answerTo({}, { body });
    const details = String(answer["grpc-status-details-bin"]);
    expect(details).not.toContain("=");
    const status = fromBinary(StatusSchema, Buffer.from(details, "base64"));
    expect(String(status.code)).toBe(answer["grpc-status"]);
    expect(status.message).toBe(decodeURIComponent(String(answer["grpc-message"])));
    const [violation] = status.details.flatMap((detail) => anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? []);
    expect(violation?.field).toBe(limiter);
    lengths.add(details.length % 4);
  }
  // Of those, padding would follow two.
  expect(lengths).toEqual(new Set([0, 2, 3]));
});
