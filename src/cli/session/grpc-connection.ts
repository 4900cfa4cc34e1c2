/** Connections to the server, over gRPC. */

import type { DescService } from "@bufbuild/protobuf";
import { createClient as createRpcClient, type Client as RpcClient } from "@connectrpc/connect";
import {
  type Client,
  type ConnectOptions,
  connect,
  LimiterService,
  ServerUnavailableError,
  toClientError,
} from "../../client/index.ts";
import { ANSWER_WITHIN } from "../../client/rpc/calls.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { awaitFirstWord } from "../../client/rpc/first-word.ts";
import { within } from "../../client/rpc/within.ts";
import { type NodeTransport, openNodeTransport } from "../../client/transport/node-transport.ts";
import { tlsAdvice } from "../../client/wire/tls-advice.ts";
import { credentials } from "./credentials.ts";
import { UsageError } from "./failure.ts";

/** The contract's own calls, for commands that show the contract's own messages. */
export interface Calls<S extends DescService> extends Disposable {
  /** Makes a call; what it throws comes as the client's error. */
  unary<T>(call: (rpc: RpcClient<S>, options: { readonly timeoutMs: number }) => Promise<T>): Promise<T>;
  /** Reads a stream to its end, or until the signal aborts. */
  stream<T>(open: (rpc: RpcClient<S>) => AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void>;
}

/** The typed client, for commands that hold leases. */
export function openClient(address: string, options?: ConnectOptions): Client {
  return checked(() => connect(address, { ...options, ...credentials() }));
}

/** Calls to the service that keeps the limiters. */
export function openLimiterCalls(address: string): Calls<typeof LimiterService> {
  return openCalls(LimiterService, address);
}

/** Calls to a service, on a connection of their own. */
export function openCalls<S extends DescService>(service: S, address: string): Calls<S> {
  const connection = openConnection(address);
  return { ...connection.callsTo(service), [Symbol.dispose]: connection[Symbol.dispose] };
}

/** One connection for calls to several services. */
export interface Connection extends Disposable {
  callsTo<S extends DescService>(service: S): Omit<Calls<S>, keyof Disposable>;
}

export function openConnection(address: string): Connection {
  const { transport, close }: NodeTransport = checked(() => openNodeTransport(address, credentials()));
  const clock = createSystemClock();
  const unavailable = (detail: string) => new ServerUnavailableError(address, detail);
  const calls = { answerWithin: ANSWER_WITHIN, heard() {}, unavailable };
  const toError = (thrown: unknown) =>
    thrown instanceof ServerUnavailableError ? thrown : toClientError(thrown, address, tlsAdvice);
  return {
    callsTo(service) {
      const rpc = createRpcClient(service, transport);
      return {
        async unary(call) {
          try {
            // The transport does not bound the time in which it connects.
            return await within(clock, ANSWER_WITHIN, call(rpc, { timeoutMs: ANSWER_WITHIN }), () => {
              throw unavailable(`it has not answered within ${ANSWER_WITHIN} ms`);
            });
          } catch (thrown) {
            throw toError(thrown);
          }
        },
        async *stream(open, signal) {
          try {
            yield* awaitFirstWord({ calls, clock }, open(rpc));
          } catch (thrown) {
            if (!signal.aborted) throw toError(thrown);
          }
        },
      };
    },
    [Symbol.dispose]: close,
  };
}

/** A wrong address, and options that do not go with it, are the caller's. */
function checked<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
