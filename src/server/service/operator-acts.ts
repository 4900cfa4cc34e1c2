/** Tells the log what operators do: a decorator of the calls that change what is promised to others, or take it from them. */

import type { DescMethod } from "@bufbuild/protobuf";
import { BoardService } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { Log, LogFields } from "../log.ts";
import { type Call, decorate, type RpcService, type UnaryHandler } from "./rpc.ts";

interface Act {
  readonly words: string;
  /** What of the request says what was done to what. */
  readonly about: (request: never) => LogFields;
}

const { createLimiter, updateLimiter, deleteLimiter, revokeLease, cancelWaiter } = LimiterService.method;
const { createBoard, updateBoard, deleteBoard } = BoardService.method;

interface Named {
  readonly name: string;
}

const ofLimiter = ({ limiter }: { readonly limiter?: Named }) => ({ limiter: limiter?.name });
const ofBoard = ({ board }: { readonly board?: Named }) => ({ board: board?.name });
type Deletion = Named & { readonly force: boolean };

const ACTS: ReadonlyMap<DescMethod, Act> = new Map<DescMethod, Act>([
  [createLimiter, { words: "a limiter is made by RPC", about: ofLimiter }],
  [updateLimiter, { words: "a limiter is changed by RPC", about: ofLimiter }],
  [
    deleteLimiter,
    {
      words: "a limiter is deleted by RPC; by force its leases end, else it goes with the last of them",
      about: ({ name, force }: Deletion) => ({ limiter: name, force }),
    },
  ],
  [
    revokeLease,
    {
      words: "a lease is revoked: by force it ends at once, else its holder is asked to release it within its ttl",
      about: ({ leaseId, force }: { readonly leaseId: string; readonly force: boolean }) => ({ lease: leaseId, force }),
    },
  ],
  [
    cancelWaiter,
    {
      words: "a waiter is taken out of its queue",
      about: ({ waiterId }: { readonly waiterId: string }) => ({ waiter: waiterId }),
    },
  ],
  [createBoard, { words: "a board is made by RPC", about: ofBoard }],
  [updateBoard, { words: "a board is changed by RPC", about: ofBoard }],
  [deleteBoard, { words: "a board is deleted by RPC", about: ({ name, force }: Deletion) => ({ board: name, force }) }],
]);

/** Returns the same service, whose acts of operators are logged once they are done. */
export function logActs(service: RpcService, log: Log): RpcService {
  if (!service.descriptor.methods.some((method) => ACTS.has(method))) return service;
  return decorate(service, {
    unary(handle, method) {
      const act = ACTS.get(method);
      return act === undefined ? handle : logged(handle, act, log);
    },
    stream: (handle) => handle,
  });
}

function logged(
  handle: UnaryHandler<unknown, unknown>,
  { words, about }: Act,
  log: Log,
): UnaryHandler<unknown, unknown> {
  return async (request, call) => {
    const answer = await handle(request, call);
    log.info({ event: "operator-act", ...about(request as never), ...byWhom(call) }, words);
    return answer;
  };
}

function byWhom({ peer, caller, span }: Call): LogFields {
  return {
    peer,
    caller: caller.name,
    ...(span && { trace_id: span.context.traceId, span_id: span.context.spanId }),
  };
}
