import { beforeEach, expect, test } from "vitest";
import type { Sent } from "../../../src/server/otlp/sender.ts";
import type { Span } from "../../../src/server/tracing/span.ts";
import { createSpanExporter, type SpanExporter } from "../../../src/server/tracing/span-exporter.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";
import { createMemoryLog, type MemoryLog } from "../transport/support/memory-log.ts";

const SECOND = 1_000_000;
const OK: Sent = { kind: "sent", answer: new Uint8Array() };
const DOWN: Sent = { kind: "failed", message: "connect ECONNREFUSED", again: 0 };

let clock: FakeClock;
let log: MemoryLog;
let exporter: SpanExporter;
/** The names of the spans of each message that was sent, with what answers it. */
let sent: { readonly names: readonly string[]; answer(how: Sent): Promise<void> }[];
let complaint: string | undefined;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function spanOf(name: string): Span {
  const context = { traceId: "1".repeat(32), spanId: "2".repeat(16), state: "" };
  const about = { context, parentSpanId: "", isParentRemote: false, kind: "server", attributes: {} } as const;
  return { ...about, name, start: 0, end: 1, isError: false };
}

beforeEach(() => {
  clock = createFakeClock();
  log = createMemoryLog();
  sent = [];
  complaint = undefined;
  const batches: (readonly Span[])[] = [];
  exporter = createSpanExporter({
    clock,
    log,
    url: "http://receiver",
    encode(spans) {
      batches.push(spans);
      return new Uint8Array();
    },
    send: () =>
      new Promise((resolve) => {
        const names = (batches.at(-1) ?? []).map(({ name }) => name);
        sent.push({
          names,
          answer(how) {
            resolve(how);
            return turn();
          },
        });
      }),
    complaintOf: () => complaint,
  });
});

function take(count: number, from = 0): void {
  for (let at = from; at < from + count; at += 1) exporter.take(spanOf(String(at)));
}

test("spans wait a second for others, and leave together", () => {
  take(1);
  clock.advance(0.9 * SECOND);
  take(1, 1);
  expect(sent).toEqual([]);
  clock.advance(0.1 * SECOND);
  expect(sent.map(({ names }) => names)).toEqual([["0", "1"]]);
  expect(clock.scheduled).toBe(0);
});

test("512 leave at once, one message at a time", async () => {
  take(1_100);
  expect(sent.map(({ names }) => names.length)).toEqual([512]);
  await sent[0]?.answer(OK);
  expect(sent.map(({ names }) => names.length)).toEqual([512, 512]);
  await sent[1]?.answer(OK);
  clock.advance(2 * SECOND);
  expect(sent[2]?.names.at(0)).toBe("1024");
  expect(sent[2]?.names.length).toBe(76);
});

test("a receiver that is down is asked again, less and less often, and is then sent what waited", async () => {
  take(2);
  clock.advance(2 * SECOND);
  for (const pause of [1, 2, 4, 8, 16, 30, 30]) {
    const before = sent.length;
    await sent.at(-1)?.answer(DOWN);
    clock.advance(pause * SECOND - 1);
    expect(sent.length).toBe(before);
    clock.advance(1);
    expect(sent.length).toBe(before + 1);
  }
  take(1, 2);
  await sent.at(-1)?.answer(OK);
  expect(log.lines).toMatchObject([
    { level: "warn", fields: { url: "http://receiver", error: "connect ECONNREFUSED", waiting: 2, dropped: 0 } },
    { level: "warn" },
    { level: "info", fields: { url: "http://receiver" } },
  ]);
  clock.advance(2 * SECOND);
  expect(sent.at(-1)?.names).toEqual(["2"]);
});

test("a receiver that says when to come again is not asked before", async () => {
  take(1);
  clock.advance(2 * SECOND);
  await sent[0]?.answer({ kind: "failed", message: "it answers 429", again: 20 * SECOND });
  clock.advance(19 * SECOND);
  expect(sent.length).toBe(1);
  clock.advance(SECOND);
  expect(sent.length).toBe(2);
});

test("what a receiver will never take is dropped, and keeps nothing else from it", async () => {
  take(2);
  clock.advance(2 * SECOND);
  await sent[0]?.answer({ kind: "failed", message: "it answers 400: no", again: "never" });
  take(1, 2);
  clock.advance(2 * SECOND);
  expect(sent[1]?.names).toEqual(["2"]);
  expect(log.at("warn")).toMatchObject([{ fields: { error: "it answers 400: no", dropped: 2 } }]);
});

test("4,096 wait at most; what finds no place is dropped, counted, and told once a minute", async () => {
  take(1);
  clock.advance(2 * SECOND);
  take(5_000, 1);
  expect(log.at("warn")).toMatchObject([{ fields: { waiting: 4_096, dropped: 1, droppedInAll: 1 } }]);
  clock.advance(59 * SECOND);
  take(1, 6_000);
  expect(log.at("warn").length).toBe(1);
  clock.advance(SECOND);
  take(1, 6_001);
  expect(log.at("warn")[1]).toMatchObject({ fields: { waiting: 4_096, dropped: 906, droppedInAll: 907 } });
  // Those that came first are sent first.
  await sent[0]?.answer(OK);
  expect(sent[1]?.names[0]).toBe("1");
});

test("what a receiver says against spans that it was sent is logged", async () => {
  complaint = "3 rejected: too old";
  take(1);
  clock.advance(2 * SECOND);
  await sent[0]?.answer(OK);
  expect(log.at("warn")).toMatchObject([{ fields: { complaint: "3 rejected: too old" } }]);
});

test("the end of the server sends what waits", async () => {
  take(3);
  const closed = exporter.close();
  await turn();
  expect(sent.map(({ names }) => names)).toEqual([["0", "1", "2"]]);
  await sent[0]?.answer(OK);
  await closed;
  take(1);
  expect([sent.length, clock.scheduled, log.lines]).toEqual([1, 0, []]);
});

test("the end of the server waits two seconds for its receiver, and says what was not sent", async () => {
  take(3);
  const closed = exporter.close();
  await turn();
  clock.advance(2 * SECOND);
  await closed;
  expect(log.at("warn")).toMatchObject([{ fields: { dropped: 3 } }]);
});
