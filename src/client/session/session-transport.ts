/**
 * A transport that carries what is asked about leases and cards in one session, which is one call, and all else as it is. What lies
 * above it sees the calls and streams of the contract.
 */

import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { AdmissionService } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Bounds } from "./ask.ts";
import { createCardCalls } from "./card-calls.ts";
import { createCards } from "./cards.ts";
import type { CommandTrace } from "./commands.ts";
import { ELSEWHERE } from "./errors.ts";
import type { EventQueue } from "./event-queue.ts";
import { createExpiry, watchMembers } from "./expiry.ts";
import { createHolding, expired } from "./holding.ts";
import { createLeaseCalls } from "./lease-calls.ts";
import { createLeases } from "./leases.ts";
import { createSession, type SessionOptions } from "./session.ts";
import type { Elsewhere } from "./virtual-stream.ts";

export interface SessionTransport extends Transport {
  /** Closes the session, which then has to hold nothing. */
  close(): void;
}

type UnaryVerb = (request: never, bounds: Bounds) => Promise<unknown>;
type StreamVerb = (
  request: never,
  signal: AbortSignal | undefined,
  elsewhere: Elsewhere<never>,
  trace: CommandTrace | undefined,
) => AsyncIterable<unknown>;

export function createSessionTransport(options: Omit<SessionOptions, "holding">): SessionTransport {
  const { transport, clock } = options;
  const leases = createLeases(clock, (due) => expiry.watch(due));
  const cards = createCards(clock, (due) => expiry.watch(due));
  const holding = createHolding({ clock, leases, cards, onResumed: () => expiry.watchAll() });
  const session = createSession({ ...options, holding });
  const { renew } = AdmissionService.method;
  const { renewCards } = BoardService.method;
  const leaseCalls = createLeaseCalls({
    clock,
    session,
    leases,
    renewElsewhere: async (request, { signal, timeoutMs }) =>
      (await transport.unary(renew, signal, timeoutMs, undefined, request)).message,
  });
  const cardCalls = createCardCalls({
    clock,
    session,
    cards,
    renewElsewhere: async (request, { signal, timeoutMs }) =>
      (await transport.unary(renewCards, signal, timeoutMs, undefined, request)).message,
  });
  const watched = [watchMembers(leases, leaseCalls.giveBack, expired), watchMembers(cards, cardCalls.abandon, expired)];
  const expiry = createExpiry(clock, watched, () => session.isAway);

  const unaryVerbs = new Map<DescMethod, UnaryVerb>([
    unaryVerb(AdmissionService.method.tryAcquire, leaseCalls.tryAcquire),
    unaryVerb(AdmissionService.method.release, leaseCalls.release),
    unaryVerb(renew, leaseCalls.renew),
    unaryVerb(BoardService.method.tryPullCard, cardCalls.tryPull),
    unaryVerb(BoardService.method.finishCard, cardCalls.finish),
    unaryVerb(BoardService.method.giveBackCard, cardCalls.giveBack),
    unaryVerb(BoardService.method.sendBackCard, cardCalls.sendBack),
    unaryVerb(renewCards, cardCalls.renew),
  ]);
  const streamVerbs = new Map<DescMethod, StreamVerb>([
    streamVerb(AdmissionService.method.acquire, leaseCalls.acquire),
    streamVerb(BoardService.method.pullCard, cardCalls.pull),
  ]);

  async function unary<I extends DescMessage, O extends DescMessage>(
    ...call: Parameters<Transport["unary"]>
  ): Promise<UnaryResponse<I, O>> {
    const [method, signal, timeoutMs, header, request] = call;
    const verb = unaryVerbs.get(method);
    if (verb !== undefined && session.isCarried) {
      try {
        const message = await verb(request as never, { signal, timeoutMs, trace: traceIn(header) });
        return { ...ANSWERED, stream: false, service: method.parent, method, message } as UnaryResponse<I, O>;
      } catch (thrown) {
        if (thrown !== ELSEWHERE) throw thrown;
      }
    }
    try {
      const response = await transport.unary(...call);
      session.wentElsewhere();
      return response as UnaryResponse<I, O>;
    } catch (error) {
      session.wentElsewhere(error);
      throw error;
    }
  }

  async function stream<I extends DescMessage, O extends DescMessage>(
    ...call: Parameters<Transport["stream"]>
  ): Promise<StreamResponse<I, O>> {
    const [method, signal, timeoutMs, header, requests, contextValues] = call;
    const verb = streamVerbs.get(method);
    if (verb === undefined) return transport.stream(...call) as Promise<StreamResponse<I, O>>;
    const request = await firstOf(requests);
    const elsewhere = (events: EventQueue<unknown>) => {
      const again = createAsyncIterable([request]);
      void follow(events, () => transport.stream(method, signal, timeoutMs, header, again, contextValues));
    };
    const message = verb(request as never, signal, elsewhere, traceIn(header));
    return { ...ANSWERED, stream: true, service: method.parent, method, message } as StreamResponse<I, O>;
  }

  /** Says on this stream what comes over another. */
  async function follow(events: EventQueue<unknown>, call: () => Promise<{ message: AsyncIterable<unknown> }>) {
    try {
      const { message } = await call();
      for await (const event of message) {
        session.wentElsewhere();
        events.push(event);
      }
      events.end();
    } catch (error) {
      session.wentElsewhere(error);
      events.end(error as Error);
    }
  }

  return {
    unary: unary as Transport["unary"],
    stream: stream as Transport["stream"],
    close() {
      expiry.stop();
      session.close();
    },
  };
}

/** Returns the trace that the headers of a call name, which are the client's own. Of the others a command has none. */
function traceIn(header: HeadersInit | undefined): CommandTrace | undefined {
  const { traceparent, tracestate = "" } = (header ?? {}) as Record<string, string | undefined>;
  return traceparent === undefined ? undefined : { traceparent, tracestate };
}

/** Answers of commands have no headers. */
const ANSWERED = { header: new Headers(), trailer: new Headers() };

async function firstOf<T>(items: AsyncIterable<T>): Promise<T> {
  for await (const item of items) return item;
  throw new TypeError("a call that streams its answers has one request");
}

function unaryVerb<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  carry: (request: MessageInitShape<I>, bounds: Bounds) => Promise<MessageShape<O>>,
): [DescMethod, UnaryVerb] {
  return [method, carry as UnaryVerb];
}

function streamVerb<I extends DescMessage, O extends DescMessage>(
  method: DescMethodStreaming<I, O>,
  carry: (
    request: MessageInitShape<I>,
    signal: AbortSignal | undefined,
    elsewhere: Elsewhere<MessageShape<O>>,
    trace: CommandTrace | undefined,
  ) => AsyncIterable<MessageShape<O>>,
): [DescMethod, StreamVerb] {
  return [method, carry as unknown as StreamVerb];
}
