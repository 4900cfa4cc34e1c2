/**
 * What there is to compare with: a server of grpc-js alone, without messages, checks or decisions. A unary path answers with
 * the bytes it was told; a path of `Acquire` says them once, and then keeps its stream open.
 */

import { type handleServerStreamingCall, type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";

const [answers] = process.argv.slice(2).map((text) => JSON.parse(text) as [string, string][]);
const asIs = (bytes: Buffer) => bytes;
// As the real server has it: channelz would cost something with each call.
const server = new Server({ "grpc.enable_channelz": 0 });
for (const [path, base64] of answers ?? []) {
  const answer = Buffer.from(base64, "base64");
  const responseStream = path.endsWith("/Acquire");
  const definition = {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  const unary: handleUnaryCall<Buffer, Buffer> = (_, callback) => callback(null, answer);
  const stream: handleServerStreamingCall<Buffer, Buffer> = (call) => call.write(answer);
  server.addService({ call: definition }, { call: responseStream ? stream : unary });
}
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(`127.0.0.1:${port}`);
});
