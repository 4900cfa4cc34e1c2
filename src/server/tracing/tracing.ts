/** The server's tracing: one tracer for what is decided here, and one exporter for the spans of all threads. */

import type { Clock } from "../clock.ts";
import { otlpUrl } from "../config/otlp-target.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { Log } from "../log.ts";
import type { Resource } from "../otlp/resource.ts";
import type { Random } from "./random.ts";
import type { SpanBatch } from "./span-batches.ts";
import type { Tracer } from "./tracer.ts";

export interface Tracing {
  readonly tracer: Tracer;
  /** Takes the spans of other threads. */
  take(batch: SpanBatch): void;
  close(): Promise<void>;
}

export interface TracingOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Those in force; asked for anew with each call. */
  readonly settings: () => Pick<ServerSettings, "traces">;
  /** Chance; unset: the system's. */
  readonly random?: Random | undefined;
  readonly resource: Resource;
}

/** Returns nothing, and loads nothing, where no receiver is configured. */
export async function openTracing({
  clock,
  log,
  settings,
  random,
  resource,
}: TracingOptions): Promise<Tracing | undefined> {
  const { otlp } = settings().traces;
  if (otlp === undefined) return undefined;
  const [
    { createTracer },
    { createSystemRandom },
    { createSpanExporter },
    { createOtlpSender },
    { encodeSpans, complaintOf },
  ] = await Promise.all([
    import("./tracer.ts"),
    import("./random.ts"),
    import("./span-exporter.ts"),
    import("../otlp/sender.ts"),
    import("./encode-spans.ts"),
  ]);
  const exporter = createSpanExporter({
    clock,
    log,
    url: otlpUrl(otlp, "traces"),
    encode: (spans) => encodeSpans(spans, resource),
    send: createOtlpSender({ target: otlp, signal: "traces" }),
    complaintOf,
  });
  const tracer = createTracer({
    clock,
    random: random ?? createSystemRandom(),
    ratio: () => settings().traces.ratio,
    onSpan: exporter.take,
  });
  return {
    tracer,
    take({ spans, dropped }) {
      for (const span of spans) exporter.take(span);
      if (dropped > 0) exporter.dropped(dropped);
    },
    close: exporter.close,
  };
}
