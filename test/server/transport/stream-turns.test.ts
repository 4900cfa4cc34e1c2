import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { envelope } from "./support/http2-client.ts";
import { callFrame, connectRaw, dataFrame, END_STREAM, resetFrame } from "./support/http2-frames.ts";
import { startGrpc, startWeb } from "./support/ports.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const CALLS = 1_000;
const PORTS = [
  ["gRPC", startGrpc],
  ["web", startWeb],
] as const;

function call(stream: number): Buffer {
  const request = create(AcquireRequestSchema, { claims: [{ limiter: "l" }], holder: String(stream) });
  const bytes = envelope(toBinary(AcquireRequestSchema, request));
  return Buffer.concat([callFrame(stream, ACQUIRE), dataFrame(stream, bytes, END_STREAM)]);
}

const STREAMS = Array.from({ length: CALLS }, (_, i) => 2 * i + 1);

test.each(PORTS)("%s: of a thousand calls that come with their resets, most are never begun", async (_name, start) => {
  const held = createHeldService();
  const { port } = await start([held.service]);
  const { socket, seen } = await connectRaw(port);
  await seen();
  socket.write(Buffer.concat(STREAMS.flatMap((stream) => [call(stream), resetFrame(stream)])));
  await seen();
  // The machine may have cut what was sent into a few turns.
  expect(held.endings.length).toBeLessThan(CALLS / 2);
});

test.each(PORTS)("%s: a thousand calls that are meant are begun in their order", async (_name, start) => {
  const held = createHeldService();
  const { port } = await start([held.service]);
  const { socket, seen } = await connectRaw(port);
  await seen();
  socket.write(Buffer.concat(STREAMS.map(call)));
  const holders: string[] = [];
  while (holders.length < CALLS) holders.push((await held.acquires.next()).request.holder);
  expect(holders).toEqual(STREAMS.map(String));
});
