/**
 * What the conformance service needs of a call and the product's services do not: the headers of the request, and headers and
 * trailers of the answer. It is found at the seam between the product's transports and their libraries; preloaded by
 * `node --import`, before a transport is.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { registerHooks } from "node:module";
import { Server as GrpcServer, type handleBidiStreamingCall, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Trailers } from "../../../src/server/transport/grpc/trailers.ts";
import type { Header } from "./contract.ts";

export interface CallMetadata {
  readonly requestHeaders: readonly Header[];
  /** Whether the request came by Connect's GET. */
  readonly isGet: boolean;
  /** Sends the headers of the answer, or has them sent with its first message. */
  answerHeaders(headers: readonly Header[]): void;
  answerTrailers(trailers: readonly Header[]): void;
}

/** The call whose handler is being called. */
export const currentCall = new AsyncLocalStorage<CallMetadata>();

type GrpcHandler = (call: GrpcCall, callback?: GrpcCallback) => void;
type GrpcCall = Parameters<handleBidiStreamingCall<unknown, unknown>>[0];
interface StreamMethods {
  end(trailers?: Metadata): unknown;
  emit(event: string, ...args: readonly unknown[]): unknown;
}
type GrpcCallback = (error: Partial<ServiceError> | null, value?: unknown, trailer?: Metadata) => void;

const { addService } = GrpcServer.prototype;
GrpcServer.prototype.addService = function addObserved(service, implementation) {
  const observed = Object.entries(implementation).map(([name, handler]) => [name, observeGrpc(handler as GrpcHandler)]);
  addService.call(this, service, Object.fromEntries(observed));
};

function observeGrpc(handler: GrpcHandler): GrpcHandler {
  return (call, callback) => {
    const trailers = new Trailers();
    const metadata: CallMetadata = {
      requestHeaders: Object.keys(call.metadata.getMap()).map((name) => ({
        name,
        value: call.metadata.get(name).map((value) => (typeof value === "string" ? value : value.toString("base64"))),
      })),
      isGet: false,
      answerHeaders: (headers) => call.sendMetadata(metadataOf(headers)),
      answerTrailers: (given) => trailers.merge(metadataOf(given)),
    };
    const withTrailers = (error: Partial<ServiceError>) => {
      error.metadata?.merge(trailers);
      return error;
    };
    if (callback === undefined) {
      const { end, emit } = call as unknown as StreamMethods;
      Object.assign(call, {
        end: (given?: Metadata) => end.call(call, joined(given, trailers)),
        emit: (event: string, ...args: readonly unknown[]) =>
          emit.call(call, event, ...(event === "error" ? [withTrailers(args[0] as ServiceError)] : args)),
      } satisfies StreamMethods);
    }
    const answer: GrpcCallback | undefined =
      callback &&
      ((error, value, given) => {
        if (error !== null) callback(withTrailers(error));
        else callback(null, value, joined(given, trailers));
      });
    currentCall.run(metadata, () => handler(call, answer));
  };
}

/** Sends what the product has said, and what the suite wants besides. */
function joined(given: Metadata | undefined, more: Metadata): Metadata {
  const both = new Metadata();
  both.clone = () => both;
  both.toHttp2Headers = () => ({ ...given?.toHttp2Headers(), ...more.toHttp2Headers() });
  return both;
}

function metadataOf(headers: readonly Header[]): Metadata {
  const metadata = new Metadata();
  for (const { name, value } of headers) {
    for (const text of value) metadata.add(name, name.endsWith("-bin") ? Buffer.from(text, "base64") : text);
  }
  return metadata;
}

// The web port's handler gets a router that tells of its calls.
const ROUTER = new URL("observed-router.ts", import.meta.url).href;
registerHooks({
  resolve(specifier, context, nextResolve) {
    const isForWebPort =
      specifier === "@connectrpc/connect" && context.parentURL?.endsWith("/transport/web/handler.ts");
    return isForWebPort ? { url: ROUTER, shortCircuit: true } : nextResolve(specifier, context);
  },
});
