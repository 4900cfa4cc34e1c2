/** Decides which calls are sampled, and makes their spans after the fact. A call that is not sampled leaves nothing behind. */

import type { Clock } from "../clock.ts";
import type { Random } from "./random.ts";
import type { Span } from "./span.ts";
import { mayBeSampled, readTraceparent, readTracestate, type TraceContext } from "./trace-context.ts";

export interface Tracer {
  /** Decides from a call's `traceparent`; undefined: the call is not sampled. */
  sample(traceparent: string | undefined): Sampled | undefined;
  /** Begins the span of a sampled call. */
  begin(sampled: Sampled, tracestate: string | undefined): OpenSpan;
  /** Ends it. */
  end(span: OpenSpan, what: SpanWords): void;
  /** Adds a span within another, from one instant to another (µs). */
  add(within: TraceContext, times: { readonly start: number; readonly end: number }, what: SpanWords): void;
}

/** Where the span of a sampled call belongs. */
export interface Sampled {
  readonly traceId: string;
  /** Empty: the call begins a trace. */
  readonly parentSpanId: string;
}

/** The span of a call that goes on. */
export interface OpenSpan {
  readonly context: TraceContext;
  readonly parentSpanId: string;
  /** µs. */
  readonly startedAt: number;
}

export type SpanWords = Pick<Span, "name" | "attributes" | "isError">;

export interface TracerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The share of calls without a valid `traceparent` that are sampled; asked for anew with each. */
  readonly ratio: () => number;
  /** Takes each span that has ended. */
  readonly onSpan: (span: Span) => void;
}

const TRACE_BYTES = 16;
const SPAN_BYTES = 8;

export function createTracer({ clock, random, ratio, onSpan }: TracerOptions): Tracer {
  function sampleRoot(): Sampled | undefined {
    const share = ratio();
    if (share === 0 || random.fraction() >= share) return undefined;
    return { traceId: random.id(TRACE_BYTES), parentSpanId: "" };
  }

  function spanOf(
    { context, parentSpanId, startedAt }: OpenSpan,
    end: number,
    { name, attributes, isError }: SpanWords,
  ): Pick<Span, "context" | "parentSpanId" | "start" | "end" | "name" | "attributes" | "isError"> {
    const start = clock.wallTime(startedAt);
    return { context, parentSpanId, start, end: Math.max(start, clock.wallTime(end)), name, attributes, isError };
  }

  return {
    sample(traceparent) {
      if (traceparent === undefined) return sampleRoot();
      // What callers say of nearly all their calls.
      if (ratio() === 0 && !mayBeSampled(traceparent)) return undefined;
      const parent = readTraceparent(traceparent);
      if (parent === undefined) return sampleRoot();
      return parent.sampled ? { traceId: parent.traceId, parentSpanId: parent.spanId } : undefined;
    },
    begin({ traceId, parentSpanId }, tracestate) {
      // The state belongs to a trace, and a new one has none.
      const state = parentSpanId === "" ? "" : readTracestate(tracestate);
      return {
        context: { traceId, spanId: random.id(SPAN_BYTES), state },
        parentSpanId,
        startedAt: clock.now(),
      };
    },
    end(span, what) {
      const isParentRemote = span.parentSpanId !== "";
      onSpan({ ...spanOf(span, clock.now(), what), kind: "server", isParentRemote });
    },
    add({ traceId, spanId, state }, { start, end }, what) {
      const context = { traceId, spanId: random.id(SPAN_BYTES), state };
      const span = spanOf({ context, parentSpanId: spanId, startedAt: start }, end, what);
      onSpan({ ...span, kind: "internal", isParentRemote: false });
    },
  };
}
