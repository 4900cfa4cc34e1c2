/** The spans of calls: begun by the transport for each call that is sampled, and ended with what its caller hears. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { Attributes } from "../tracing/span.ts";
import type { OpenSpan, Tracer } from "../tracing/tracer.ts";
import { internalError, WireError } from "../wire/error-wire.ts";
import { type Call, decorate, type RpcService, type UnaryHandler } from "./rpc.ts";
import { type Outcome, outcomeOf, type Port, requestAttributes, rpcAttributes, serverSpan } from "./rpc-span.ts";
import { TracedStream } from "./traced-stream.ts";

export interface RpcTraces {
  /** Returns the span of a call that begins; undefined: it is not sampled. */
  begin(call: Call): OpenSpan | undefined;
  /** Returns the same service, which ends the spans of its calls. */
  watch(service: RpcService): RpcService;
  /** A call is refused before it comes to its service. */
  refused(method: DescMethod, call: Call, error: WireError): void;
}

export interface RpcTracesOptions {
  readonly tracer: Tracer;
  readonly port: Port;
}

export function createRpcTraces({ tracer, port }: RpcTracesOptions): RpcTraces {
  function begin(call: Call): OpenSpan | undefined {
    const sampled = tracer.sample(call.header("traceparent"));
    return sampled && tracer.begin(sampled, call.header("tracestate"));
  }

  function end(span: OpenSpan, about: Ended): void {
    const attributes = { ...rpcAttributes(about.call, port), ...about.attributes };
    tracer.end(span, serverSpan(about.method, attributes, about.outcome));
  }

  function unary(handle: UnaryHandler<unknown, unknown>, method: DescMethod): UnaryHandler<unknown, unknown> {
    return (request, call) => {
      const { span } = call;
      if (span === undefined) return handle(request, call);
      const attributes = requestAttributes(request);
      const answered = (answer: unknown) => {
        end(span, { method, call, attributes, outcome: outcomeOf(answer) });
        return answer;
      };
      const failed = (thrown: unknown): never => {
        end(span, { method, call, attributes, outcome: { error: errorOf(thrown) } });
        throw thrown;
      };
      try {
        const answer = handle(request, call);
        return answer instanceof Promise ? answer.then(answered, failed) : answered(answer);
      } catch (thrown) {
        return failed(thrown);
      }
    };
  }

  return {
    begin,
    watch: (service) =>
      decorate(service, {
        unary,
        stream: (handle, method) => (request, stream) => {
          const { span } = stream;
          if (span === undefined) {
            handle(request, stream);
            return;
          }
          const attributes = requestAttributes(request);
          const traced = new TracedStream(stream, (outcome) =>
            end(span, { method, call: stream, attributes, outcome }),
          );
          try {
            handle(request, traced);
          } catch (thrown) {
            traced.over({ error: errorOf(thrown) });
            throw thrown;
          }
        },
        bidi: (handle, method) => (stream) => {
          const { span } = stream;
          if (span === undefined) handle(stream);
          else
            handle(new TracedStream(stream, (outcome) => end(span, { method, call: stream, attributes: {}, outcome })));
        },
      }),
    refused(method, call, error) {
      const { span } = call;
      if (span !== undefined) end(span, { method, call, attributes: {}, outcome: { error } });
    },
  };
}

interface Ended {
  readonly method: DescMethod;
  readonly call: Call;
  readonly attributes: Attributes;
  readonly outcome: Outcome;
}

/** What its caller hears of something that was thrown. */
function errorOf(thrown: unknown): WireError {
  return thrown instanceof WireError ? thrown : internalError();
}
