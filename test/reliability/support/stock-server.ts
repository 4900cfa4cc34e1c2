/**
 * The control: AdmissionService by a library as it comes, without a guard of ours: `grpc-js` or `connect-node`. Or `http2`:
 * Node's own with its limits lifted. Says where it listens, and ends with its parent.
 */

import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type handleServerStreamingCall, type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import {
  AcquireResponseSchema,
  AdmissionService,
  TryAcquireResponseSchema,
} from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "../../support/grpc-client.ts";

const { acquire, tryAcquire } = AdmissionService.method;
const waiting = () => create(AcquireResponseSchema, { event: { case: "waiting", value: {} } });
const listening = (port: number) => process.send?.(port);
process.on("disconnect", () => process.exit());

if (process.argv[2] === "grpc-js") {
  const bytes = (answer: Uint8Array) => Buffer.from(answer);
  const common = {
    requestStream: false,
    requestSerialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const onUnary: handleUnaryCall<unknown, Uint8Array> = (_, callback) =>
    callback(null, toBinary(TryAcquireResponseSchema, create(TryAcquireResponseSchema)));
  const onStream: handleServerStreamingCall<unknown, Uint8Array> = (call) => {
    call.write(toBinary(AcquireResponseSchema, waiting()));
    // Whether the client reads or not.
    const chatter = setInterval(() => call.write(Buffer.alloc(1_000)), 10);
    call.on("close", () => clearInterval(chatter));
    call.on("cancelled", () => clearInterval(chatter));
  };
  const server = new Server();
  server.addService(
    {
      unary: {
        ...common,
        path: pathOf(tryAcquire),
        responseStream: false,
        requestDeserialize: (request: Buffer) => fromBinary(tryAcquire.input, request),
      },
      stream: {
        ...common,
        path: pathOf(acquire),
        responseStream: true,
        requestDeserialize: (request: Buffer) => fromBinary(acquire.input, request),
      },
    },
    { unary: onUnary, stream: onStream },
  );
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    listening(port);
  });
} else if (process.argv[2] === "http2") {
  const NEVER = 2 ** 31 - 1;
  const server = createServer({ streamResetBurst: NEVER, streamResetRate: NEVER, maxSessionInvalidFrames: NEVER });
  server.on("stream", (stream) => stream.on("error", () => {}));
  server.on("sessionError", (_, session) => session.destroy());
  server.listen(0, "127.0.0.1", () => listening((server.address() as AddressInfo).port));
} else {
  const handler = connectNodeAdapter({
    routes: (router) =>
      router.service(AdmissionService, {
        tryAcquire: () => create(TryAcquireResponseSchema),
        async *acquire() {
          yield waiting();
          // For ever, and deaf to the signal, as a handler that waits for something is.
          await new Promise(() => {});
        },
      }),
  });
  const server = createServer(handler);
  server.listen(0, "127.0.0.1", () => listening((server.address() as AddressInfo).port));
}
