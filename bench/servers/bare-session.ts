/**
 * A bidirectional stream of grpc-js alone, at the path of a session, which decides nothing. `bytes`: it says the messages of one
 * command in flight again, in their order, and reads nothing; `messages`: it decodes each request, and encodes an answer to
 * each of its commands.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type handleBidiStreamingCall, Server, ServerCredentials } from "@grpc/grpc-js";
import {
  SessionAnswerSchema,
  SessionRequestSchema,
  SessionResponseSchema,
  SessionService,
} from "../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { pathOf } from "../../test/support/grpc-client.ts";

const [mode, recorded] = process.argv.slice(2) as [string, string];
const [opened, granted, released] = (JSON.parse(recorded) as string[]).map((base64) => Buffer.from(base64, "base64"));
if (opened === undefined || granted === undefined || released === undefined)
  throw new Error("three messages are needed");

type Session = handleBidiStreamingCall<Buffer, Buffer>;

const sayAgain: Session = (call) => {
  let next = opened;
  call.on("data", () => {
    call.write(next);
    next = next === granted ? released : granted;
  });
  call.on("end", () => call.end());
};

const answerOf = (bytes: Buffer) => fromBinary(SessionResponseSchema, bytes).answers[0]?.answer ?? { case: undefined };
const [grant, release] = [answerOf(granted), answerOf(released)];

const answerEach: Session = (call) => {
  call.on("data", (bytes: Buffer) => {
    const { open, commands } = fromBinary(SessionRequestSchema, bytes);
    if (open !== undefined) call.write(opened);
    if (commands.length === 0) return;
    const answers = commands.map(({ id, command }) =>
      create(SessionAnswerSchema, { id, answer: command.case === "acquire" ? grant : release }),
    );
    call.write(Buffer.from(toBinary(SessionResponseSchema, create(SessionResponseSchema, { answers }))));
  });
  call.on("end", () => call.end());
};

const asIs = (bytes: Buffer) => bytes;
const server = new Server({ "grpc.enable_channelz": 0 });
const definition = {
  path: pathOf(SessionService.method.session),
  requestStream: true,
  responseStream: true,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};
server.addService({ call: definition }, { call: mode === "bytes" ? sayAgain : answerEach });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(`127.0.0.1:${port}`);
});
