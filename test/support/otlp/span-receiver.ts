/** A receiver of OTLP that knows spans. */

import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { decodeOtlp, startOtlpReceiver } from "./receiver.ts";

/** A span as a test reads it. Ids are hexadecimal; times are µs since 1970. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client";
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
  readonly flags: number;
}

export type SpanReceiver = Awaited<ReturnType<typeof startSpanReceiver>>;

export async function startSpanReceiver() {
  const receiver = await startOtlpReceiver();
  const messages = () =>
    receiver.requests.map(({ body }) => readRequest(decodeOtlp("collector.trace.v1.ExportTraceServiceRequest", body)));
  return {
    url: receiver.url,
    requests: receiver.requests,
    get status() {
      return receiver.status;
    },
    set status(status) {
      receiver.status = status;
    },
    get spans(): readonly ReceivedSpan[] {
      return messages().flatMap(({ spans }) => spans);
    },
    /** What the first message says of its sender. */
    get resource(): Readonly<Record<string, unknown>> | undefined {
      return messages()[0]?.resource;
    },
    /** Resolves with the spans that match, once there are so many. */
    async until(
      count: number,
      matches: (span: ReceivedSpan) => boolean = () => true,
    ): Promise<readonly ReceivedSpan[]> {
      let found: readonly ReceivedSpan[] = [];
      const look = () => {
        found = messages().flatMap(({ spans }) => spans.filter(matches));
        return found.length;
      };
      await expect.poll(look, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
      return found;
    },
  };
}

function readRequest(request: JsonObject) {
  const { resourceSpans } = request as unknown as Request;
  const [of] = resourceSpans;
  return { resource: attributesOf(of.resource.attributes), spans: of.scopeSpans[0].spans.map(readSpan) };
}

interface Request {
  readonly resourceSpans: readonly [
    {
      readonly resource: { readonly attributes: Pair[] };
      readonly scopeSpans: readonly [{ readonly spans: WireSpan[] }];
    },
  ];
}

interface WireSpan {
  readonly [name: string]: unknown;
  readonly attributes?: Pair[];
  readonly status?: { readonly code?: string };
}

interface Pair {
  readonly key: string;
  readonly value: Value;
}

type Value = {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly Value[] };
};

function readSpan(span: WireSpan): ReceivedSpan {
  return {
    traceId: hexOf(span.traceId),
    spanId: hexOf(span.spanId),
    parentSpanId: hexOf(span.parentSpanId),
    traceState: String(span.traceState ?? ""),
    name: String(span.name),
    kind: String(span.kind).replace("SPAN_KIND_", "").toLowerCase() as ReceivedSpan["kind"],
    start: Number(BigInt(String(span.startTimeUnixNano)) / 1_000n),
    end: Number(BigInt(String(span.endTimeUnixNano)) / 1_000n),
    attributes: attributesOf(span.attributes ?? []),
    isError: span.status?.code === "STATUS_CODE_ERROR",
    flags: Number(span.flags ?? 0),
  };
}

function hexOf(base64: unknown): string {
  return Buffer.from(String(base64 ?? ""), "base64").toString("hex");
}

function attributesOf(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, readValue(value)]));
}

function readValue({ stringValue, boolValue, intValue, doubleValue, arrayValue }: Value): unknown {
  if (arrayValue !== undefined) return (arrayValue.values ?? []).map(readValue);
  if (intValue !== undefined) return Number(intValue);
  return stringValue ?? boolValue ?? doubleValue;
}
