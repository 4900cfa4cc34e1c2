/** What each call of the client goes through on its way to the transport. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { wholeTimeout } from "../wire/time.ts";

/**
 * Returns the transport with timeouts that every protocol can carry. A stream without a timeout has none, whatever default the
 * caller has given to its transport: a deadline would bound the time for which a lease may be held.
 */
export function withCheckedTimeouts(transport: Transport): Transport {
  return {
    async unary(method, signal, timeoutMs, ...rest) {
      return transport.unary(method, signal, timeoutMs === undefined ? undefined : wholeTimeout(timeoutMs), ...rest);
    },
    async stream(method, signal, timeoutMs, ...rest) {
      // Connect takes 0 for "none, whatever the default is".
      return transport.stream(method, signal, timeoutMs === undefined ? 0 : wholeTimeout(timeoutMs), ...rest);
    },
  };
}

/** So that a peer that refuses everything is not asked for ever. */
const MOST_REFUSALS = 3;

/**
 * Returns the transport with calls that are made again whose stream the other end has not looked at, as HTTP/2 promises of one
 * that it refuses. That happens to calls which come while a connection is being ended: nginx ends each after 1,000 requests.
 */
export function withRefusedCallsAgain(transport: Transport): Transport {
  return {
    unary: (...call) => unlessRefused(() => transport.unary(...call)),
    async stream(method, signal, timeoutMs, header, messages, ...rest) {
      const { stream } = transport;
      // What a client goes on sending cannot be sent again.
      if (method.methodKind !== "server_streaming") return stream(method, signal, timeoutMs, header, messages, ...rest);
      const sent: MessageInitShape<typeof method.input>[] = [];
      for await (const message of messages) sent.push(message);
      return unlessRefused(() => stream(method, signal, timeoutMs, header, createAsyncIterable(sent), ...rest));
    },
  };
}

async function unlessRefused<T>(call: () => Promise<T>): Promise<T> {
  for (let left = MOST_REFUSALS; ; left -= 1) {
    try {
      return await call();
    } catch (thrown) {
      if (left === 0 || !REFUSED_STREAM.test(ConnectError.from(thrown).rawMessage)) throw thrown;
    }
  }
}

/** As connect-node and Node word it. */
const REFUSED_STREAM = /^(http\/2 stream|Stream) closed with error code (NGHTTP2_)?REFUSED_STREAM\b/;
