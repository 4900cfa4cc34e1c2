/**
 * Unary calls whose answers wait until something is kept: a server that stops lets them have those, and sends away whose does
 * not come in time. Without that, transports that close would end them as if by a bug.
 */

import { sentAway, type WireError } from "../wire/error-wire.ts";
import type { RpcMethod, RpcService, UnaryHandler } from "./rpc.ts";

export interface CallsUnderWay {
  readonly count: number;
  /** The same service, whose unary calls are known here while they are under way. */
  watch(service: RpcService): RpcService;
  /** Sends away who still waits, and whoever comes from here on. What they have asked may be done all the same. */
  sendAway(): void;
}

/** µs after which somebody who is sent away may try again. */
const RETRY_AFTER = 1_000_000;

export function createCallsUnderWay(): CallsUnderWay {
  const underWay = new Set<(error: WireError) => void>();
  let over = false;

  function watched(handle: UnaryHandler<unknown, unknown>): UnaryHandler<unknown, unknown> {
    return (request, call) => {
      if (over) throw sentAway(RETRY_AFTER);
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

  return {
    get count() {
      return underWay.size;
    },
    watch: ({ descriptor, methods }) => ({
      descriptor,
      methods: methods.map(
        (method): RpcMethod => (method.kind === "unary" ? { ...method, handle: watched(method.handle) } : method),
      ),
    }),
    sendAway() {
      over = true;
      for (const reject of underWay) reject(sentAway(RETRY_AFTER));
    },
  };
}
