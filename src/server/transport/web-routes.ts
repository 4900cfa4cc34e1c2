/** `RpcService`s as the routes of a connect router. */

import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  Message,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext, type MethodImpl } from "@connectrpc/connect";
import type { BidiHandler, Call, RpcMethod, RpcService, ServerStreamHandler, UnaryHandler } from "../service/rpc.ts";
import type { Dispatcher } from "./dispatch.ts";
import { connectErrorOf } from "./web-error.ts";
import { exchangeKey } from "./web-exchange.ts";
import { jsonOptionsOf } from "./web-json.ts";
import { WebStream } from "./web-stream.ts";
import { BIDI_WINDOW, SERVER_STREAM_WINDOW } from "./window.ts";

type Implementation =
  | MethodImpl<DescMethodUnary>
  | MethodImpl<DescMethodServerStreaming>
  | MethodImpl<DescMethodBiDiStreaming>;

/** Serves every method that has a function, and answers UNIMPLEMENTED for the others. */
export function addRoutes(router: ConnectRouter, service: RpcService, dispatcher: Dispatcher): void {
  for (const method of service.methods) {
    const { descriptor } = method;
    // The kinds of methods and functions match, one by one; TypeScript cannot see it.
    const implementation = implementationOf(method, dispatcher) as MethodImpl<DescMethod>;
    router.rpc(descriptor, implementation, { jsonOptions: jsonOptionsOf(descriptor.input) });
  }
}

function implementationOf(method: RpcMethod, dispatcher: Dispatcher): Implementation {
  switch (method.kind) {
    case "unary":
      return unary(method.descriptor, method.handle, dispatcher);
    case "server_streaming":
      return serverStreaming(method.descriptor, method.handle, dispatcher);
    case "bidi_streaming":
      return bidiStreaming(method.descriptor, method.handle, dispatcher);
    case "unimplemented":
      return () => {
        throw new ConnectError(`${method.descriptor.name} is not implemented`, Code.Unimplemented);
      };
  }
}

function unary(
  method: DescMethod,
  handle: UnaryHandler<unknown, unknown>,
  dispatcher: Dispatcher,
): MethodImpl<DescMethodUnary> {
  return async (request, context) => {
    try {
      dispatcher.check(method.input, request);
      return (await handle(request, new WebCall(context))) as Message;
    } catch (thrown) {
      throw connectErrorOf(dispatcher.errorOf(method, thrown), context.protocolName);
    }
  };
}

function serverStreaming(
  method: DescMethod,
  handle: ServerStreamHandler<unknown, unknown>,
  dispatcher: Dispatcher,
): MethodImpl<DescMethodServerStreaming> {
  return (request, context) => {
    const stream = new WebStream({ method, context, dispatcher, window: SERVER_STREAM_WINDOW });
    try {
      dispatcher.check(method.input, request);
      handle(request, stream);
    } catch (thrown) {
      stream.fail(dispatcher.errorOf(method, thrown));
    }
    return stream;
  };
}

function bidiStreaming(
  method: DescMethod,
  handle: BidiHandler<unknown, unknown>,
  dispatcher: Dispatcher,
): MethodImpl<DescMethodBiDiStreaming> {
  return (requests, context) => {
    const stream = new WebStream({ method, context, dispatcher, window: BIDI_WINDOW, requests });
    try {
      handle(stream);
    } catch (thrown) {
      stream.fail(dispatcher.errorOf(method, thrown));
    }
    return stream;
  };
}

class WebCall implements Call {
  readonly #context: HandlerContext;

  constructor(context: HandlerContext) {
    this.#context = context;
  }

  get peer(): string {
    return this.#context.values.get(exchangeKey)?.peer ?? "unknown";
  }

  get timeout(): number | undefined {
    return this.#context.values.get(exchangeKey)?.timeout;
  }
}
