/** `RpcService`s as the routes of a connect router. */

import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  Message,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext, type MethodImpl } from "@connectrpc/connect";
import { ANONYMOUS, type Caller } from "../../access/caller.ts";
import type {
  BidiHandler,
  Call,
  RpcMethod,
  RpcService,
  ServerStreamHandler,
  UnaryCall,
  UnaryHandler,
} from "../../service/rpc.ts";
import { tooManyStreams } from "../../wire/error-wire.ts";
import { OK, type StatusCode, type Timed } from "../rpc/call-times.ts";
import type { Dispatcher } from "../rpc/dispatch.ts";
import { connectErrorOf } from "./error.ts";
import { exchangeKey } from "./exchange.ts";
import { requireHttpVersion } from "./http-version.ts";
import { jsonOptionsOf } from "./json.ts";
import { codeOfGone, systemOf } from "./status.ts";
import { WebStream } from "./stream.ts";

type Implementation =
  | MethodImpl<DescMethodUnary>
  | MethodImpl<DescMethodServerStreaming>
  | MethodImpl<DescMethodBiDiStreaming>;

export interface RouteContext extends Timed {
  readonly dispatcher: Dispatcher;
}

/** Serves every method that has a function, and answers UNIMPLEMENTED for the others. */
export function addRoutes(router: ConnectRouter, service: RpcService, context: RouteContext): void {
  for (const method of service.methods) {
    const { descriptor } = method;
    // The kinds of methods and functions match, one by one; TypeScript cannot see it.
    const implementation = implementationOf(method, service.aside, context) as MethodImpl<DescMethod>;
    router.rpc(descriptor, implementation, { jsonOptions: jsonOptionsOf(descriptor.input) });
  }
}

function implementationOf(method: RpcMethod, aside: boolean, context: RouteContext): Implementation {
  switch (method.kind) {
    case "unary":
      return unary(method.descriptor, method.handle, context);
    case "server_streaming":
      return serverStreaming(method.descriptor, method.handle, aside, context);
    case "bidi_streaming":
      return bidiStreaming(method.descriptor, method.handle, aside, context);
    case "unimplemented":
      return () => {
        throw new ConnectError(`${method.descriptor.name} is not implemented`, Code.Unimplemented);
      };
  }
}

function unary(
  method: DescMethod,
  handle: UnaryHandler<unknown, unknown>,
  { dispatcher, times: allTimes }: RouteContext,
): MethodImpl<DescMethodUnary> {
  return async (request, context) => {
    const call = new WebCall(context);
    const times = allTimes.of(method, systemOf(context));
    const beganAt = times.began();
    const ended = (code: StatusCode) => times.ended(beganAt, context.signal.aborted ? codeOfGone(context) : code);
    note(context, method, call, dispatcher);
    try {
      dispatcher.checkFirst(method, request, call);
      const answer = (await handle(request, call)) as Message;
      ended(OK);
      return answer;
    } catch (thrown) {
      const error = dispatcher.errorOf(method, thrown, call);
      ended(error.code);
      throw connectErrorOf(error, context.protocolName);
    }
  };
}

function serverStreaming(
  method: DescMethod,
  handle: ServerStreamHandler<unknown, unknown>,
  aside: boolean,
  { dispatcher, times }: RouteContext,
): MethodImpl<DescMethodServerStreaming> {
  return (request, context) => {
    const stream = new WebStream({ method, context, dispatcher, times: times.of(method, systemOf(context)) });
    begin(stream, context, method, aside, dispatcher, () => {
      dispatcher.checkFirst(method, request, stream);
      handle(request, stream);
    });
    return stream;
  };
}

function bidiStreaming(
  method: DescMethod,
  handle: BidiHandler<unknown, unknown>,
  aside: boolean,
  { dispatcher, times }: RouteContext,
): MethodImpl<DescMethodBiDiStreaming> {
  return (requests, context) => {
    const stream = new WebStream({ method, context, dispatcher, times: times.of(method, systemOf(context)), requests });
    begin(stream, context, method, aside, dispatcher, () => handle(stream));
    return stream;
  };
}

/** Hands the stream to its service once it has a place on its connection. */
function begin(
  stream: WebStream,
  context: HandlerContext,
  method: DescMethod,
  aside: boolean,
  dispatcher: Dispatcher,
  handle: () => void,
): void {
  note(context, method, stream, dispatcher);
  // Without it nginx holds a streamed answer back until some KB of it have come.
  context.responseHeader.set("x-accel-buffering", "no");
  const beginNow = () => {
    if (stream.ended) return;
    try {
      requireHttpVersion(method, context);
      handle();
    } catch (thrown) {
      stream.failOf(thrown);
    }
  };
  const exchange = context.values.get(exchangeKey);
  const places = exchange?.places(aside);
  if (exchange === undefined || places === undefined) {
    beginNow();
    return;
  }
  const refuse = () => {
    const error = tooManyStreams(places.most);
    dispatcher.refusedFirst(method, error, stream);
    stream.fail(error);
  };
  const leave = places.take({ begin: beginNow, refuse });
  if (exchange.signal.aborted) leave();
  else exchange.signal.addEventListener("abort", leave, { once: true });
}

function note({ values }: HandlerContext, method: DescMethod, call: Call, dispatcher: Dispatcher): void {
  dispatcher.began(method, call);
  const exchange = values.get(exchangeKey);
  if (exchange !== undefined) exchange.begun = true;
}

class WebCall implements UnaryCall {
  span: Call["span"];
  readonly #context: HandlerContext;

  constructor(context: HandlerContext) {
    this.#context = context;
  }

  get caller(): Caller {
    return this.#context.values.get(exchangeKey)?.caller ?? ANONYMOUS;
  }

  get peer(): string {
    return this.#context.values.get(exchangeKey)?.peer ?? "unknown";
  }

  get timeout(): number | undefined {
    return this.#context.values.get(exchangeKey)?.timeout;
  }

  header(name: string): string | undefined {
    return this.#context.requestHeader.get(name) ?? undefined;
  }

  onGone(listener: () => void): void {
    const { signal } = this.#context;
    if (signal.aborted) listener();
    else signal.addEventListener("abort", listener, { once: true });
  }
}
