/**
 * A client in a process of its own, so that it can be killed: holds `count` Acquire streams on one connection to
 * `address`, says "ready" when each has heard something, and obeys what it is sent.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientReadableStream, credentials } from "@grpc/grpc-js";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";

const [address = "", count = ""] = process.argv.slice(2);
const path = `/${AdmissionService.typeName}/${AdmissionService.method.acquire.name}`;
const request = toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "l" }] }));
const client = new Client(address, credentials.createInsecure());

async function hold(): Promise<ClientReadableStream<Buffer>> {
  const stream = client.makeServerStreamRequest(
    path,
    () => Buffer.from(request),
    (bytes) => bytes,
    undefined,
  );
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("data", resolve));
  return stream;
}

const streams = await Promise.all(Array.from({ length: Number(count) }, hold));

process.on("message", (order) => {
  if (order === "cancel" || order === "cancel-and-close" || order === "cancel-and-exit") {
    for (const stream of streams) stream.cancel();
  }
  if (order === "close" || order === "close-and-exit" || order === "cancel-and-close") client.close();
  if (order === "exit") process.exit();
  if (order === "cancel-and-exit" || order === "close-and-exit") setImmediate(() => process.exit());
});
process.send?.("ready");
