/**
 * What there is to compare with: a server of grpc-js alone, without checks or decisions. A unary path answers with the
 * message that it was given; a path of `Acquire` says it once, and then keeps its stream open. With `messages`,
 * requests are decoded and answers encoded, as any server must; with `bytes`, neither.
 */

import { type AddressInfo, createServer } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type handleServerStreamingCall, type handleUnaryCall, Server } from "@grpc/grpc-js";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createGrpcHttp2 } from "../../src/server/transport/grpc/http2-server.ts";
import { pathOf } from "../../test/support/grpc-client.ts";

const [mode, answers] = process.argv.slice(2) as [string, string];
const asIs = (bytes: Buffer) => bytes;
// As the real server has it: channelz would cost something with each call.
const server = new Server({ "grpc.enable_channelz": 0 });
for (const [path, base64] of JSON.parse(answers) as [string, string][]) {
  const method = AdmissionService.methods.find((each) => pathOf(each) === path);
  if (method === undefined) throw new Error(`AdmissionService has no ${path}`);
  const { input, output } = method;
  const bytes = Buffer.from(base64, "base64");
  const { $typeName, ...answer } = fromBinary(output, bytes);
  const [decode, encode] =
    mode === "messages"
      ? [(request: Buffer) => fromBinary(input, request), () => Buffer.from(toBinary(output, create(output, answer)))]
      : [asIs, () => bytes];
  const responseStream = path.endsWith("/Acquire");
  const definition = {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: decode,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  const unary: handleUnaryCall<unknown, Buffer> = (_, callback) => callback(null, encode());
  const stream: handleServerStreamingCall<unknown, Buffer> = (call) => call.write(encode());
  server.addService({ call: definition }, { call: responseStream ? stream : unary });
}
// As many cancels as the real server lets a connection send.
const { inject } = createGrpcHttp2(server, { streamResetBurst: 4_000, streamResetRate: 1_000 });
const listener = createServer({ noDelay: true }, inject);
listener.listen(0, "127.0.0.1", () => {
  process.send?.(`127.0.0.1:${(listener.address() as AddressInfo).port}`);
});
