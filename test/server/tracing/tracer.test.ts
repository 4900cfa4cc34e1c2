import { expect, test } from "vitest";
import { createTracerScene } from "./support.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("a call is sampled where its caller says so, whatever the ratio", () => {
  const scene = createTracerScene();
  for (const ratio of [0, 1]) {
    scene.ratio = ratio;
    expect(scene.tracer.sample(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, parentSpanId: SPAN });
    expect(scene.tracer.sample(`00-${TRACE}-${SPAN}-00`)).toBeUndefined();
  }
});

test.each([undefined, "malformed", `00-${"0".repeat(32)}-${SPAN}-01`])(
  "a call with the traceparent %j is sampled by the ratio, in a trace of its own",
  (traceparent) => {
    const scene = createTracerScene();
    expect(scene.tracer.sample(traceparent)).toBeUndefined();
    scene.ratio = 1;
    expect(scene.tracer.sample(traceparent)).toEqual({
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      parentSpanId: "",
    });
  },
);

test("the ratio is kept, by chance that a seed decides", () => {
  const seed = 7;
  const sampled = (ratio: number) => {
    const scene = createTracerScene(seed);
    scene.ratio = ratio;
    return Array.from({ length: 10_000 }, () => scene.tracer.sample(undefined)).filter((one) => one !== undefined);
  };
  expect(sampled(0.1).length, `seed ${seed}`).toBeGreaterThan(900);
  expect(sampled(0.1).length, `seed ${seed}`).toBeLessThan(1_100);
  expect(sampled(0.1)).toEqual(sampled(0.1));
  expect(sampled(0)).toEqual([]);
  expect(sampled(1).length).toBe(10_000);
});

test("a span is the child of its caller's, keeps the trace's state, and ends when it is ended", () => {
  const { tracer, clock, spans } = createTracerScene();
  const span = tracer.begin({ traceId: TRACE, parentSpanId: SPAN }, "vendor=1");
  clock.advance(1_500);
  tracer.end(span, { name: "a call", attributes: { a: 1 }, isError: true });
  const { context } = span;
  expect(context).toEqual({ traceId: TRACE, spanId: expect.stringMatching(/^[0-9a-f]{16}$/), state: "vendor=1" });
  expect(spans).toEqual([
    {
      ...{ context, parentSpanId: SPAN, isParentRemote: true, kind: "server", name: "a call", isError: true },
      ...{ start: clock.wallTime(0), end: clock.wallTime(1_500), attributes: { a: 1 } },
    },
  ]);
});

test("a span within another has its trace, its state and it as its parent", () => {
  const { tracer, clock, spans } = createTracerScene();
  const { context } = tracer.begin({ traceId: TRACE, parentSpanId: "" }, "of=another");
  expect(context.state).toBe("");
  clock.advance(5_000);
  tracer.add(context, { start: 1_000, end: 3_000 }, { name: "inner", attributes: {}, isError: false });
  const [inner] = spans;
  expect(inner).toMatchObject({ parentSpanId: context.spanId, isParentRemote: false, kind: "internal" });
  expect(inner?.context).toMatchObject({ traceId: TRACE });
  expect([inner?.start, inner?.end]).toEqual([clock.wallTime(1_000), clock.wallTime(3_000)]);
});

test("a call that is not sampled leaves nothing behind: no object is made for it", () => {
  const { tracer } = createTracerScene();
  const headers = [undefined, `00-${TRACE}-${SPAN}-00`];
  const bytesOf = (calls: number) => {
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < calls; at += 1) if (tracer.sample(headers[at & 1]) !== undefined) throw new Error("sampled");
    return process.memoryUsage().heapUsed - before;
  };
  bytesOf(100_000);
  // Nearly nothing: what the measure itself makes. One object a call would be ten million bytes.
  expect(Math.min(...Array.from({ length: 5 }, () => bytesOf(400_000)))).toBeLessThan(400_000);
});
