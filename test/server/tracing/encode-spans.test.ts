import { expect, test } from "vitest";
import { resourceOf } from "../../../src/server/otlp/resource.ts";
import { complaintOf, encodeSpans } from "../../../src/server/tracing/encode-spans.ts";
import type { Span } from "../../../src/server/tracing/span.ts";
import { decodeOtlp } from "../../support/otlp/receiver.ts";

const CONTEXT = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", state: "" };
const PLAIN: Span = {
  ...{ context: CONTEXT, parentSpanId: "", isParentRemote: false, kind: "internal", name: "a span" },
  ...{ start: 1_700_000_000_000.123, end: 1_700_000_000_001.5, attributes: {}, isError: false },
};
const base64 = (hex: string) => Buffer.from(hex, "hex").toString("base64");

function spansOf(...spans: Span[]) {
  const bytes = encodeSpans(spans, { attributes: { "service.name": "test" } });
  return decodeOtlp("collector.trace.v1.ExportTraceServiceRequest", bytes);
}

test("a message has its sender, its scope and its spans, in the fields that OTLP publishes", () => {
  expect(spansOf(PLAIN, { ...PLAIN, name: "another" })).toMatchObject({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "test" } }] },
        scopeSpans: [
          {
            scope: { name: "ggen-backpressure", version: expect.stringMatching(/^\d/) },
            schemaUrl: expect.stringMatching(/1\.45\.0$/),
            spans: [
              {
                traceId: base64(CONTEXT.traceId),
                spanId: base64(CONTEXT.spanId),
                name: "a span",
                kind: "SPAN_KIND_INTERNAL",
                startTimeUnixNano: "1700000000000123000",
                endTimeUnixNano: "1700000000001500000",
                flags: 0x101,
              },
              { name: "another" },
            ],
          },
        ],
      },
    ],
  });
});

test("a span that has everything says all of it, and one that has little says no more", () => {
  const attributes = {
    ...{ text: "a\u00e9\ud800", none: undefined, empty: "", yes: true, no: false, whole: 5, below: -3, part: 0.25 },
    ...{ large: 2 ** 53 - 1, words: ["a", "b"], counts: [1, 2], nothing: [] },
  };
  const full = spansOf({
    ...PLAIN,
    ...{ context: { ...CONTEXT, state: "a=1" }, parentSpanId: "00f067aa0ba902b8", isParentRemote: true },
    ...{ kind: "server", isError: true, attributes },
  }) as never as { resourceSpans: [{ scopeSpans: [{ spans: [Record<string, unknown>] }] }] };
  const [span] = full.resourceSpans[0].scopeSpans[0].spans;
  expect(span).toMatchObject({
    ...{ traceState: "a=1", parentSpanId: base64("00f067aa0ba902b8"), kind: "SPAN_KIND_SERVER", flags: 0x301 },
    status: { code: "STATUS_CODE_ERROR" },
  });
  expect(span.attributes).toEqual([
    { key: "text", value: { stringValue: "a\u00e9\ufffd" } },
    { key: "empty", value: { stringValue: "" } },
    { key: "yes", value: { boolValue: true } },
    { key: "no", value: { boolValue: false } },
    { key: "whole", value: { intValue: "5" } },
    { key: "below", value: { intValue: "-3" } },
    { key: "part", value: { doubleValue: 0.25 } },
    { key: "large", value: { intValue: "9007199254740991" } },
    { key: "words", value: { arrayValue: { values: [{ stringValue: "a" }, { stringValue: "b" }] } } },
    { key: "counts", value: { arrayValue: { values: [{ intValue: "1" }, { intValue: "2" }] } } },
    { key: "nothing", value: { arrayValue: {} } },
  ]);
});

test("a batch of many spans is whole", () => {
  const many = Array.from({ length: 2_000 }, (_, at) => ({ ...PLAIN, name: `span ${at}` }));
  const { resourceSpans } = spansOf(...many) as never as {
    resourceSpans: [{ scopeSpans: [{ spans: { name: string }[] }] }];
  };
  expect(resourceSpans[0].scopeSpans[0].spans.map(({ name }) => name)).toEqual(many.map(({ name }) => name));
});

test("the sender is known by its service, version and instance", () => {
  expect(resourceOf("an-instance").attributes).toMatchObject({
    "service.name": "ggen-backpressure",
    "service.instance.id": "an-instance",
    "process.pid": process.pid,
  });
});

test.each<[string, number[], string | undefined]>([
  ["nothing", [], undefined],
  ["that all is well", [0x0a, 0x00], undefined],
  ["what it has rejected", [0x0a, 0x07, 0x08, 0x03, 0x12, 0x03, 0x6f, 0x6c, 0x64], "3 rejected: old"],
  ["what no receiver says", [0xff, 0xff], undefined],
])("of a receiver that answers %s it is known", (_what, bytes, expected) => {
  expect(complaintOf(Uint8Array.from(bytes))).toBe(expected);
});
