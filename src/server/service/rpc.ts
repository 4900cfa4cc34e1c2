/**
 * What a service looks like to a transport: the contract's methods as plain functions, whichever wire they came over.
 *
 * Streams push. A lease is granted in the middle of another call, and the words that say so must leave in the
 * order in which the machine decided; an async generator would put a microtask between the two.
 */

import type { DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type { Caller } from "../access/caller.ts";
import type { OpenSpan } from "../tracing/tracer.ts";
import type { WireError } from "../wire/error-wire.ts";

/** How a stream ended that its server did not end: a cancel over a living connection, or anything else. */
export type StreamEnd = "cancelled" | "lost";

/** What is known of a call besides its message. */
export interface Call {
  /** The other end, for logs: address and port. */
  readonly peer: string;
  /** µs that the caller's deadline leaves, counted from the start of the call; undefined: it set none. */
  readonly timeout: number | undefined;
  /** Who calls, as the transport has made sure of it. */
  readonly caller: Caller;
  /** The span of the call, which its transport has begun; undefined: the call is not sampled. */
  span: OpenSpan | undefined;
  /** Returns the first header of the request of this name, in lower case; undefined: it has none, or its value is binary. */
  header(name: string): string | undefined;
}

/** Begins the spans of calls, and ends those of calls that do not come to their service; that ends the others. */
export interface CallSpans {
  begin(call: Call): OpenSpan | undefined;
  refused(method: DescMethod, call: Call, error: WireError): void;
}

/** A call that is answered once. */
export interface UnaryCall extends Call {
  /** The one listener that is called once, if the caller leaves before it has its answer: by a cancel, or by its deadline. */
  onGone(listener: () => void): void;
}

/** The server's side of a stream. After `end`, `fail` or `onEnd`'s call, sending does nothing. */
export interface ServerStream<O> extends Call {
  /** Whether the transport finds out by itself when the connection is dead (HTTP/2 pings). */
  readonly probed: boolean;
  /** Sends one message. False: the reader is behind; hold the next one back until `onWritable` calls. */
  send(message: O): boolean;
  /** The one listener that is called each time when the reader has caught up. */
  onWritable(listener: () => void): void;
  /** Ends the stream with OK, after all that was sent. */
  end(): void;
  /** Ends the stream with an error, after all that was sent. */
  fail(error: WireError): void;
  /** The one listener that is called once, when the stream ends without the server's doing. */
  onEnd(listener: (how: StreamEnd) => void): void;
}

/** A stream in both directions. */
export interface BidiStream<I, O> extends ServerStream<O> {
  /** The one listener for requests, in order. Requests that arrive before there is one are kept. */
  onMessage(listener: (message: I) => void): void;
  /** The one listener that is called when no more requests will come. */
  onHalfClose(listener: () => void): void;
  /** Reads no requests until `resume`: flow control holds the client back. */
  pause(): void;
  resume(): void;
}

/** Answers, or throws: a `WireError` goes to the caller, anything else is a bug. */
export type UnaryHandler<I, O> = (request: I, call: UnaryCall) => O | Promise<O>;
/** Throws before it has sent anything, or talks through the stream. */
export type ServerStreamHandler<I, O> = (request: I, stream: ServerStream<O>) => void;
export type BidiHandler<I, O> = (stream: BidiStream<I, O>) => void;

type Handler<M extends GenServiceMethods[string]> = M["methodKind"] extends "unary"
  ? UnaryHandler<MessageShape<M["input"]>, MessageShape<M["output"]>>
  : M["methodKind"] extends "server_streaming"
    ? ServerStreamHandler<MessageShape<M["input"]>, MessageShape<M["output"]>>
    : BidiHandler<MessageShape<M["input"]>, MessageShape<M["output"]>>;

/** A function for each method of the contract; one that is missing is answered with UNIMPLEMENTED. */
export type Handlers<S> = S extends GenService<infer M> ? { readonly [K in keyof M]?: Handler<M[K]> } : never;

/** A service as transports take it: each method with its function. */
export interface RpcService {
  readonly descriptor: DescService;
  readonly methods: readonly RpcMethod[];
  /**
   * Whether its streams are counted apart from those that wait, hold or watch: health and reflection must be answered on
   * a connection that is full of them.
   */
  readonly aside: boolean;
  /** Whether it checks its requests by itself: then one that breaks a rule of the contract reaches it. */
  readonly checksItself: boolean;
  /** Its methods that keep what their caller has, or give it back: they are bounded less than others. */
  readonly givesBack: readonly DescMethod[];
}

export type RpcMethod =
  | { readonly kind: "unary"; readonly descriptor: DescMethod; readonly handle: UnaryHandler<unknown, unknown> }
  | {
      readonly kind: "server_streaming";
      readonly descriptor: DescMethod;
      readonly handle: ServerStreamHandler<unknown, unknown>;
    }
  | { readonly kind: "bidi_streaming"; readonly descriptor: DescMethod; readonly handle: BidiHandler<unknown, unknown> }
  | { readonly kind: "unimplemented"; readonly descriptor: DescMethod };

/** What a decorator makes of each function of a service. */
export interface Decorator {
  unary(handle: UnaryHandler<unknown, unknown>, method: DescMethod): UnaryHandler<unknown, unknown>;
  stream(handle: ServerStreamHandler<unknown, unknown>, method: DescMethod): ServerStreamHandler<unknown, unknown>;
  /** Unset: streams in both directions are as they were. */
  bidi?(handle: BidiHandler<unknown, unknown>, method: DescMethod): BidiHandler<unknown, unknown>;
}

/** Returns the same service with its functions decorated: counted, bounded, or let through to some callers alone. */
export function decorate(service: RpcService, decorator: Decorator): RpcService {
  const methods = service.methods.map((method): RpcMethod => {
    const { descriptor } = method;
    switch (method.kind) {
      case "unary":
        return { ...method, handle: decorator.unary(method.handle, descriptor) };
      case "server_streaming":
        return { ...method, handle: decorator.stream(method.handle, descriptor) };
      case "bidi_streaming":
        return { ...method, handle: decorator.bidi?.(method.handle, descriptor) ?? method.handle };
      default:
        return method;
    }
  });
  return { ...service, methods };
}

/** Joins a service's contract with its functions. */
export function createRpcService<S extends DescService>(
  descriptor: S,
  handlers: Handlers<S>,
  {
    aside = false,
    checksItself = false,
    givesBack = [],
  }: Partial<Pick<RpcService, "aside" | "checksItself" | "givesBack">> = {},
): RpcService {
  const functions = handlers as Record<string, unknown>;
  const methods = descriptor.methods.map((method): RpcMethod => {
    const handle = functions[method.localName];
    if (handle === undefined || method.methodKind === "client_streaming") {
      return { kind: "unimplemented", descriptor: method };
    }
    return { kind: method.methodKind, descriptor: method, handle } as RpcMethod;
  });
  return { descriptor, methods, aside, checksItself, givesBack };
}
