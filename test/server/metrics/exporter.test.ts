/** When metrics are sent, and what a receiver that does not take them comes to. */

import { setImmediate as turns } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { createMetricsExporter } from "../../../src/server/metrics/exporter.ts";
import { NO_LABELS } from "../../../src/server/metrics/labels.ts";
import { samplesOf } from "../../../src/server/metrics/samples.ts";
import type { Sent } from "../../../src/server/otlp/sender.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createMemoryLog } from "../transport/support/memory-log.ts";

const INTERVAL = 60_000_000;
const SENT: Sent = { kind: "sent", answer: new Uint8Array() };
const FAILED: Sent = { kind: "failed", message: "it answers 503", again: 0 };

function start({ answer = async (): Promise<Sent> => SENT } = {}) {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const messages: Uint8Array[] = [];
  const exporter = createMetricsExporter({
    clock,
    log,
    url: "http://collector:4318/v1/metrics",
    interval: INTERVAL,
    collect: async () => [samplesOf("serving", [{ labels: NO_LABELS, value: 1 }])],
    turn: () => Promise.resolve(),
    about: { resource: {}, version: "1", since: 0 },
    send(message) {
      messages.push(message);
      return answer();
    },
  });
  const pass = async (micros: number) => {
    clock.advance(micros);
    for (let turn = 0; turn < 5; turn++) await turns();
  };
  onTestFinished(async () => {
    const closed = exporter.close();
    await pass(INTERVAL);
    await closed;
  });
  return { clock, log, messages, exporter, pass };
}

test("metrics are sent at each interval", async () => {
  const { messages, pass } = start();
  await pass(INTERVAL - 1);
  expect(messages).toHaveLength(0);
  await pass(1);
  expect(messages).toHaveLength(1);
  await pass(INTERVAL);
  expect(messages).toHaveLength(2);
});

test("an export that takes longer than the interval is not overtaken", async () => {
  const answers: ((sent: Sent) => void)[] = [];
  const { messages, pass } = start({ answer: () => new Promise<Sent>((resolve) => answers.push(resolve)) });
  await pass(INTERVAL);
  await pass(3 * INTERVAL);
  expect(messages).toHaveLength(1);
  answers[0]?.(SENT);
  await pass(0);
  await pass(INTERVAL);
  expect(messages).toHaveLength(2);
});

test("a receiver that fails is named once a minute, and so is that it takes them again", async () => {
  let sent: Sent = FAILED;
  const { log, pass } = start({ answer: async () => sent });
  await pass(INTERVAL);
  expect(log.at("warn")).toMatchObject([
    { fields: { url: "http://collector:4318/v1/metrics", problem: "it answers 503" } },
  ]);
  sent = SENT;
  await pass(INTERVAL);
  expect(log.at("info")).toMatchObject([{ message: "metrics are delivered again" }]);
  await pass(INTERVAL);
  expect(log.at("info")).toHaveLength(1);
});

test("the end of the server sends what is measured then, and waits two seconds at most", async () => {
  const { messages, exporter, pass } = start({ answer: () => new Promise<Sent>(() => {}) });
  let closed = false;
  const closing = exporter.close().then(() => {
    closed = true;
  });
  await pass(1_999_999);
  expect([messages.length, closed]).toEqual([1, false]);
  await pass(1);
  await closing;
  expect(closed).toBe(true);
});
