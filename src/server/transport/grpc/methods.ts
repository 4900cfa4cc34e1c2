/** The tables that grpc-js wants, from the contract's descriptors and the services' functions. */

import type { DescMethod, Message } from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  Server,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ANONYMOUS } from "../../access/caller.ts";
import type { Clock } from "../../clock.ts";
import type { BidiHandler, RpcMethod, RpcService, ServerStreamHandler, UnaryHandler } from "../../service/rpc.ts";
import { tooManyStreams, unauthenticated } from "../../wire/error-wire.ts";
import type { ReaderGuard } from "../http2/reader-guard.ts";
import { OK, type StatusCode, type Timed } from "../rpc/call-times.ts";
import type { CallerCheck } from "../rpc/caller-check.ts";
import type { Dispatcher } from "../rpc/dispatch.ts";
import { pathOf } from "../rpc/method-paths.ts";
import { decoderOf, encoderOf } from "./codec.ts";
import { codeOfGone } from "./due.ts";
import { statusOf } from "./status.ts";
import { GrpcBidiStream, GrpcCall, GrpcServerStream } from "./stream.ts";
import { OK_TRAILERS } from "./trailers.ts";
import type { Beneath, GrpcBeneath } from "./underlying-stream.ts";

export interface MethodContext extends Timed {
  readonly dispatcher: Dispatcher;
  readonly beneath: GrpcBeneath;
  readonly callers: CallerCheck;
  readonly readers: ReaderGuard;
  readonly clock: Clock;
}

/** Serves every method that has a function; grpc-js answers UNIMPLEMENTED for any other path. */
export function addService(server: Server, service: RpcService, context: MethodContext): void {
  const definitions: Record<string, MethodDefinition<Message, Buffer>> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    const handler = handlerOf(method, service.aside, context);
    if (handler === undefined) continue;
    definitions[method.descriptor.name] = definitionOf(method.descriptor);
    handlers[method.descriptor.name] = handler;
  }
  if (Object.keys(definitions).length > 0) server.addService(definitions as ServiceDefinition, handlers);
}

function definitionOf(method: DescMethod): MethodDefinition<Message, Buffer> {
  const { input, output } = method;
  const [encodeOutput, decodeOutput] = [encoderOf(output), decoderOf(output)];
  return {
    path: pathOf(method),
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: encoderOf(input),
    requestDeserialize: decoderOf(input),
    // Answers are encoded where they are given, so that one that cannot be is logged and answered as any bug is.
    responseSerialize: (bytes) => bytes,
    responseDeserialize: (bytes) => encodeOutput(decodeOutput(bytes)),
  };
}

function handlerOf(method: RpcMethod, aside: boolean, context: MethodContext): UntypedHandleCall | undefined {
  switch (method.kind) {
    case "unary":
      return unary(method.descriptor, method.handle, context);
    case "server_streaming":
      return serverStreaming(method.descriptor, method.handle, aside, context);
    case "bidi_streaming":
      return bidiStreaming(method.descriptor, method.handle, aside, context);
    case "unimplemented":
      return undefined;
  }
}

function unary(
  method: DescMethod,
  handle: UnaryHandler<unknown, unknown>,
  context: MethodContext,
): handleUnaryCall<Message, Buffer> {
  const { dispatcher, beneath, clock } = context;
  const encode = encoderOf(method.output);
  const times = context.times.of(method, "grpc");
  return (call, callback) => {
    const caller = beneath.callerOf(call);
    const own = new GrpcCall(call, { caller: caller ?? ANONYMOUS, clock });
    const beganAt = times.began();
    const ended = (code: StatusCode) => times.ended(beganAt, call.cancelled ? codeOfGone(call, clock) : code);
    const fail = (thrown: unknown) => {
      const error = dispatcher.errorOf(method, thrown, own);
      ended(error.code);
      callback(statusOf(error));
    };
    const succeed = (answer: Message) => {
      let bytes: Buffer;
      try {
        bytes = encode(answer);
      } catch (thrown) {
        fail(thrown);
        return;
      }
      ended(OK);
      callback(null, bytes, OK_TRAILERS);
    };
    dispatcher.began(method, own);
    try {
      // Its stream has gone: nobody hears this.
      if (caller === undefined) throw unauthenticated();
      dispatcher.checkFirst(method, call.request, own);
      const answer = handle(call.request, own) as Message | Promise<Message>;
      if (answer instanceof Promise) answer.then(succeed, fail);
      else succeed(answer);
    } catch (thrown) {
      fail(thrown);
    }
  };
}

function serverStreaming(
  method: DescMethod,
  handle: ServerStreamHandler<unknown, unknown>,
  aside: boolean,
  context: MethodContext,
): handleServerStreamingCall<Message, Buffer> {
  const { dispatcher, callers, readers, clock } = context;
  const encode = encoderOf(method.output);
  const times = context.times.of(method, "grpc");
  const options = { method, encode, times, dispatcher, callers, readers, clock };
  return (call) => {
    const beneath = context.beneath.of(call);
    if (beneath === undefined) return;
    const stream = new GrpcServerStream(call, beneath, options);
    begin(stream, method, beneath, aside, dispatcher, () => {
      dispatcher.checkFirst(method, call.request, stream);
      handle(call.request, stream);
    });
  };
}

function bidiStreaming(
  method: DescMethod,
  handle: BidiHandler<unknown, unknown>,
  aside: boolean,
  context: MethodContext,
): handleBidiStreamingCall<Message, Buffer> {
  const { dispatcher, callers, readers, clock } = context;
  const encode = encoderOf(method.output);
  const times = context.times.of(method, "grpc");
  const options = { method, encode, times, dispatcher, callers, readers, clock };
  return (call) => {
    const beneath = context.beneath.of(call);
    if (beneath === undefined) return;
    const stream = new GrpcBidiStream(call, beneath, options);
    begin(stream, method, beneath, aside, dispatcher, () => handle(stream));
  };
}

/** Hands the stream to its service once it has a place on its connection. */
function begin(
  stream: GrpcServerStream,
  method: DescMethod,
  beneath: Beneath,
  aside: boolean,
  dispatcher: Dispatcher,
  handle: () => void,
): void {
  dispatcher.began(method, stream);
  const places = beneath.connection.places(aside);
  const leave = places.take({
    begin() {
      if (stream.ended) return;
      try {
        handle();
      } catch (thrown) {
        stream.failOf(thrown);
      }
    },
    refuse() {
      const error = tooManyStreams(places.most);
      dispatcher.refusedFirst(method, error, stream);
      stream.fail(error);
    },
  });
  stream.placed(leave);
}
