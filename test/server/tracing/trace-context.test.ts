import { describe, expect, test } from "vitest";
import { mayBeSampled, readTraceparent, readTracestate } from "../../../src/server/tracing/trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

describe("a traceparent that is well formed says which trace, and whether it is sampled", () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    // Flags of later versions stand beside the one that is known.
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-ff`, true],
    [`00-${TRACE}-${SPAN}-0a`, false],
    // A later version may say more.
    [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, true],
    [`cc-${TRACE}-${SPAN}-01`, true],
  ])("%s", (text, sampled) => {
    expect(readTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled });
    expect(mayBeSampled(text)).toBe(sampled);
  });
});

test.each([
  "",
  "01",
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-1`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01 `,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
  `0x-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01.more`,
  `cc-${TRACE}-${SPAN}-01-${"m".repeat(300)}`,
  `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`,
])("a malformed one says nothing: %j", (text) => {
  expect(readTraceparent(text)).toBeUndefined();
});

test("the glance at the flags is never wrong about a well formed one", () => {
  for (let flags = 0; flags < 256; flags += 1) {
    const text = `00-${TRACE}-${SPAN}-${flags.toString(16).padStart(2, "0")}`;
    expect(mayBeSampled(text), text).toBe(readTraceparent(text)?.sampled);
  }
});

test.each([
  ["congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"],
  ["a".repeat(512), "a".repeat(512)],
  ["a".repeat(513), ""],
  ["a=\u00e9", ""],
  [undefined, ""],
])("a tracestate is passed on as it came, or not at all: %j", (text, expected) => {
  expect(readTracestate(text)).toBe(expected);
});
