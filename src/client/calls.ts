/** The contract's calls over a transport, with the client's errors for the transport's. */

import { createClient as createRpcClient, type Client as RpcClient, type Transport } from "@connectrpc/connect";
import { withCheckedTimeouts } from "./checked-timeouts.ts";
import { toClientError } from "./error-wire.ts";
import { AdmissionService } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "./gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "./gen/ggen/backpressure/v1/limiter_service_pb.ts";

export interface Calls {
  readonly admission: RpcClient<typeof AdmissionService>;
  readonly limiter: RpcClient<typeof LimiterService>;
  readonly board: RpcClient<typeof BoardService>;
  /** Makes a call; what it throws comes as the client's error. */
  unary<T>(call: () => Promise<T>): Promise<T>;
  /** The client's error for what a stream threw. */
  toError(thrown: unknown): Error;
}

/** ms: a server that lives answers sooner, whatever it answers; a call that waits longer waits for a dead connection. */
export const ANSWER_WITHIN = 10_000;

export function createCalls(transport: Transport, address: string): Calls {
  const toError = (thrown: unknown) => toClientError(thrown, address);
  const checked = withCheckedTimeouts(transport);
  return {
    admission: createRpcClient(AdmissionService, checked),
    limiter: createRpcClient(LimiterService, checked),
    board: createRpcClient(BoardService, checked),
    async unary(call) {
      try {
        return await call();
      } catch (thrown) {
        throw toError(thrown);
      }
    },
    toError,
  };
}
