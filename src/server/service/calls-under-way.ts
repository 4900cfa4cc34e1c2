/**
 * Calls whose answers, or whose streams' first words, wait until something is kept: a server that stops lets them have those,
 * and sends away whose does not come in time. Without that, transports that close would end them as if by a bug.
 */

import { sentAway, type WireError } from "../wire/error-wire.ts";
import type { RpcMethod, RpcService, ServerStream, ServerStreamHandler, UnaryHandler } from "./rpc.ts";

export interface CallsUnderWay {
  readonly count: number;
  /** The same service, whose calls are known here until they are answered. */
  watch(service: RpcService): RpcService;
  /** Sends away who still waits, and whoever comes from here on. What they have asked may be done all the same. */
  sendAway(): void;
}

export function createCallsUnderWay(): CallsUnderWay {
  /** How each is sent away. */
  const underWay = new Set<(error: WireError) => void>();
  let over = false;

  function watched(handle: UnaryHandler<unknown, unknown>): UnaryHandler<unknown, unknown> {
    return (request, call) => {
      if (over) throw sentAway();
      const answer = handle(request, call);
      if (!(answer instanceof Promise)) return answer;
      return new Promise((resolve, reject) => {
        underWay.add(reject);
        answer.then(
          (value) => {
            underWay.delete(reject);
            resolve(value);
          },
          (error) => {
            underWay.delete(reject);
            reject(error);
          },
        );
      });
    };
  }

  function watchedStream(handle: ServerStreamHandler<unknown, unknown>): ServerStreamHandler<unknown, unknown> {
    return (request, stream) => {
      if (over) throw sentAway();
      const fail = (error: WireError) => stream.fail(error);
      underWay.add(fail);
      try {
        handle(
          request,
          untilAnswered(stream, () => underWay.delete(fail)),
        );
      } catch (error) {
        underWay.delete(fail);
        throw error;
      }
    };
  }

  function watchedMethod(method: RpcMethod): RpcMethod {
    switch (method.kind) {
      case "unary":
        return { ...method, handle: watched(method.handle) };
      case "server_streaming":
        return { ...method, handle: watchedStream(method.handle) };
      default:
        return method;
    }
  }

  return {
    get count() {
      return underWay.size;
    },
    watch: (service) => ({ ...service, methods: service.methods.map(watchedMethod) }),
    sendAway() {
      over = true;
      for (const sendAway of underWay) sendAway(sentAway());
    },
  };
}

/** The same stream; `answered` is called when it speaks or ends, each time. */
function untilAnswered<O>(stream: ServerStream<O>, answered: () => void): ServerStream<O> {
  return {
    get peer() {
      return stream.peer;
    },
    get timeout() {
      return stream.timeout;
    },
    get probed() {
      return stream.probed;
    },
    send(message) {
      answered();
      return stream.send(message);
    },
    onWritable: (listener) => stream.onWritable(listener),
    end() {
      answered();
      stream.end();
    },
    fail(error) {
      answered();
      stream.fail(error);
    },
    onEnd(listener) {
      stream.onEnd((how) => {
        answered();
        listener(how);
      });
    },
  };
}
