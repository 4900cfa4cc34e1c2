/** The spans of a session's commands: each is traced as the call of its name would be, and may belong to a trace of its own. */

import type { DescMethod } from "@bufbuild/protobuf";
import { AdmissionService } from "../../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { SessionCommand } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { Tracer } from "../../tracing/tracer.ts";
import { WORDS } from "../../tracing/words.ts";
import { reasonName } from "../../wire/reason-name.ts";
import type { Call } from "../rpc.ts";
import { type Outcome, type Port, requestAttributes, rpcAttributes, serverSpan } from "../rpc-span.ts";
import type { Answer } from "./outbox.ts";

export interface CommandTraces {
  /** Begins the span of a command; undefined: it is not sampled. `call`: that of its session. */
  begin(command: SessionCommand, call: Call): CommandSpan | undefined;
}

export interface CommandSpan {
  readonly trace: TraceContext;
  /** The command has its last answer. Later calls do nothing. */
  end(outcome: Outcome): void;
}

export interface CommandTracesOptions {
  readonly tracer: Tracer;
  /** Of the gRPC port, where nearly all sessions are. */
  readonly at: Port["at"];
}

/** Those that a caller waits for; the others are the session's own affair. */
const METHODS: ReadonlyMap<string | undefined, DescMethod> = new Map<string, DescMethod>([
  ["acquire", AdmissionService.method.acquire],
  ["tryAcquire", AdmissionService.method.tryAcquire],
  ["release", AdmissionService.method.release],
  ["pull", BoardService.method.pullCard],
  ["tryPull", BoardService.method.tryPullCard],
  ["finish", BoardService.method.finishCard],
  ["giveBack", BoardService.method.giveBackCard],
  ["sendBack", BoardService.method.sendBackCard],
]);

export function createCommandTraces({ tracer, at }: CommandTracesOptions): CommandTraces {
  return {
    begin({ command, traceparent, tracestate }, call) {
      const method = METHODS.get(command.case);
      if (method === undefined) return undefined;
      const sampled = tracer.sample(traceparent === "" ? undefined : traceparent);
      if (sampled === undefined) return undefined;
      const span = tracer.begin(sampled, tracestate);
      const asked = requestAttributes(command.value);
      let isOver = false;
      return {
        trace: span.context,
        end(outcome) {
          if (isOver) return;
          isOver = true;
          const attributes = {
            ...rpcAttributes(call, { isGrpc: isOfGrpcPort(call), at }),
            ...asked,
            [WORDS.session]: true,
          };
          tracer.end(span, serverSpan(method, attributes, outcome));
        },
      };
    },
  };
}

/** The library of the gRPC port keeps the content type to itself; over the web port there is one. */
function isOfGrpcPort(call: Call): boolean {
  return call.header("content-type") === undefined;
}

/** Returns how a command has ended that has this answer. */
export function outcomeOfAnswer(answer: Answer): Outcome {
  if (answer.case === "failed") return { code: answer.value.code === 0 ? undefined : answer.value.code };
  const isRefusal = answer.case === "refused" || answer.case === "none";
  return { reason: isRefusal ? reasonName(answer.value.reason) : undefined };
}
