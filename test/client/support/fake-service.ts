/**
 * The contract in memory, answered by the test: every call lies in a mailbox until the test takes it and says what the
 * server would.
 */

import type {
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { SessionService } from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";

/** A unary call that waits for its answer. */
interface UnaryCall<M extends DescMethodUnary> {
  readonly request: MessageShape<M["input"]>;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
  answer(response: MessageInitShape<M["output"]>): void;
  fail(error: Error): void;
}

/** A server stream that is open. */
interface StreamCall<M extends DescMethodServerStreaming> {
  readonly request: MessageShape<M["input"]>;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
  /** Resolves when the caller has cancelled. */
  readonly cancelled: Promise<void>;
  say(message: MessageInitShape<M["output"]>): void;
  end(): void;
  fail(error: Error): void;
}

/** A stream both ways that is open. */
interface DuplexCall<M extends DescMethodBiDiStreaming>
  extends Omit<StreamCall<DescMethodServerStreaming>, "request" | "say"> {
  readonly requests: Mailbox<MessageShape<M["input"]>>;
  /** Resolves when the client has closed its side. */
  readonly finished: Promise<void>;
  say(message: MessageInitShape<M["output"]>): void;
}

type Methods = typeof AdmissionService.method &
  typeof BoardService.method &
  typeof LimiterService.method &
  typeof SessionService.method;
type CallOf<M> = M extends DescMethodUnary
  ? UnaryCall<M>
  : M extends DescMethodServerStreaming
    ? StreamCall<M>
    : M extends DescMethodBiDiStreaming
      ? DuplexCall<M>
      : never;

export type FakeSession = CallOf<typeof SessionService.method.session>;

/** A mailbox for each method of the services. */
export type FakeService = { readonly [K in keyof Methods]: Mailbox<CallOf<Methods[K]>> } & {
  readonly transport: Transport;
  /** The request ids that were withdrawn, which is answered at once. */
  readonly withdrawn: string[];
  /** From here on that answer comes when this has resolved. */
  delayWithdrawals(until: Promise<void>): void;
};

export function createFakeService(): FakeService {
  const mailboxes: Record<string, Mailbox<unknown>> = {};
  const withdrawn: string[] = [];
  let untilWithdrawn = Promise.resolve();
  const transport = createRouterTransport(({ rpc }) => {
    for (const service of [AdmissionService, BoardService, LimiterService, SessionService]) {
      for (const method of service.methods) {
        const mailbox = createMailbox<unknown>();
        mailboxes[method.localName] = mailbox;
        if (method.methodKind === "unary") {
          rpc(method as DescMethodUnary, (request, { signal }) => {
            const { requestId } = request as { readonly requestId?: string };
            if ((method.name === "Release" || method.name === "GiveBackCard") && requestId) {
              withdrawn.push(requestId);
              return untilWithdrawn.then(() => ({}));
            }
            const { promise, resolve, reject } = Promise.withResolvers<MessageInitShape<DescMethodUnary["output"]>>();
            signal.addEventListener("abort", () => reject(signal.reason));
            mailbox.put({ request, signal, answer: resolve, fail: (error: Error) => reject(onTheWire(error)) });
            return promise;
          });
        } else if (method.methodKind === "server_streaming") {
          rpc(method as DescMethodServerStreaming, (request, { signal }) => stream({ request }, signal, mailbox));
        } else if (method.methodKind === "bidi_streaming") {
          rpc(method as DescMethodBiDiStreaming, (requests, { signal }) => stream(receive(requests), signal, mailbox));
        }
      }
    }
  });
  function delayWithdrawals(until: Promise<void>): void {
    untilWithdrawn = until;
  }
  return { ...mailboxes, transport: withoutDeadlines(transport), withdrawn, delayWithdrawals } as FakeService;
}

/** A transport whose calls end by the test's clock alone: a deadline would set a timer of the system, which outlives the test. */
function withoutDeadlines({ unary, stream }: Transport): Transport {
  return {
    unary: (method, signal, _timeoutMs, ...rest) => unary(method, signal, undefined, ...rest),
    stream: (method, signal, _timeoutMs, ...rest) => stream(method, signal, undefined, ...rest),
  };
}

/** The server's errors as its transports send them. */
export function onTheWire(error: Error): Error {
  if (!(error instanceof WireError)) return error;
  return new ConnectError(error.message, error.code, undefined, [...error.details]);
}

/** What a client sees of a connection that broke. */
export function connectionLost(): ConnectError {
  return new ConnectError("read ECONNRESET", Code.Aborted);
}

type News = { readonly message: Record<string, unknown> } | { readonly error: Error } | { readonly end: true };

/** Puts what the client sends into a mailbox. */
function receive<T>(messages: AsyncIterable<T>) {
  const requests = createMailbox<T>();
  async function read(): Promise<void> {
    for await (const message of messages) requests.put(message);
  }
  return { requests, finished: read() };
}

async function* stream(
  asked: object,
  signal: AbortSignal,
  mailbox: Mailbox<unknown>,
): AsyncGenerator<Record<string, unknown>> {
  const news = createMailbox<News>();
  const cancelled = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => {
    cancelled.resolve();
    news.put({ end: true });
  });
  mailbox.put({
    ...asked,
    signal,
    cancelled: cancelled.promise,
    say: (message: Record<string, unknown>) => news.put({ message }),
    end: () => news.put({ end: true }),
    fail: (error: Error) => news.put({ error: onTheWire(error) }),
  });
  for (;;) {
    const next = await news.next();
    if ("end" in next) return;
    if ("error" in next) throw next.error;
    yield next.message;
  }
}
