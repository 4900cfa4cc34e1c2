/** Durations and rates mean the same in the file, on the command line and in JSON, or are refused with the right form. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { amountRateValue } from "../../../src/cli/options/values.ts";
import { parseDuration } from "../../../src/client/api/duration.ts";
import { parseConfig } from "../../../src/server/config/config.ts";
import { toMaxRps } from "../../../src/server/machine/limiter/rate.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

/** In the file: the limiter's field, or what is wrong with it. */
function inFile(field: string, value: string) {
  const yaml = `limiters: [{ name: db, max_concurrent: 1, ${field}: ${JSON.stringify(value)} }]`;
  const reading = parseConfig(yaml, { path: undefined, overrides: [] });
  return reading.kind === "invalid" ? reading.problems.map(({ message }) => message).join() : reading.limiters[0];
}

function onCommandLine<T>(read: (text: string) => T, text: string): T | string {
  try {
    return read(text);
  } catch (error) {
    return (error as Error).message;
  }
}

let server: TestServer;
let count = 0;

beforeAll(async () => {
  server = await startTestServer("");
});
afterAll(() => server[Symbol.asyncDispose]());

async function inJson(fields: Readonly<Record<string, unknown>>) {
  count += 1;
  const answer = await fetch(`${server.url}/ggen.backpressure.v1.LimiterService/CreateLimiter`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ limiter: { name: `l-${count}`, maxConcurrent: 1, ...fields } }),
  });
  return (await answer.json()) as { readonly limiter?: Record<string, unknown>; readonly message?: string };
}

describe("a duration", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["1500us", 1.5],
    ["60s", 60_000],
    ["1m", 60_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    [" 10s ", 10_000],
  ])("%j is the same in the file and on the command line", async (text, ms) => {
    expect(inFile("max_wait", text)).toMatchObject({ maxWait: ms * 1_000 });
    expect(onCommandLine(parseDuration, text)).toBe(ms);
  });

  it.each([
    ["90", "write 90s, or 90ms"],
    ["10 s", "write 10s"],
    ["1m 30s", "write 1m30s"],
    ["10S", "write 10s"],
    ["5min", "write 5m"],
    ["1 Hour, 30 minutes", "write 1h30m"],
    ["-5s", "it cannot be negative"],
    ["PT1M", undefined],
    ["1w", undefined],
    ["1e3s", undefined],
    ["soon", undefined],
    ["", undefined],
  ])("%j is refused in the file and on the command line, with what to write", (text, advice) => {
    for (const refusal of [inFile("max_wait", text), onCommandLine(parseDuration, text)]) {
      expect(refusal).toMatch(/10s/);
      expect(refusal).toContain(JSON.stringify(text));
      if (advice !== undefined) expect(refusal).toContain(advice);
    }
  });

  it.each([
    ["60s", "60s"],
    ["0.25s", "0.250s"],
    ["0s", "0s"],
  ])("%j in JSON is %s", async (text, shown) => {
    expect((await inJson({ maxWait: text })).limiter).toMatchObject({ maxWait: shown });
  });

  it.each([
    ["1m", "60s"],
    ["250ms", "0.250000000s"],
    ["1h", "3600s"],
    ["90", "90s"],
    [90, "90s"],
    ["soon", "60s"],
  ])("%j in JSON is refused with the form %s", async (value, form) => {
    expect((await inJson({ maxWait: value })).message).toContain(
      `limiter.max_wait: must be seconds as text, such as "${form}", found ${JSON.stringify(value)}`,
    );
  });
});

describe("a rate", () => {
  it.each([
    ["10/m", 10 / 60],
    ["50/d", 50 / 86_400],
    ["5/2h", 5 / 7_200],
    ["100/15min", 100 / 900],
    ["10 per minute", 10 / 60],
    ["10 / 60s", 10 / 60],
    ["1/month", 1 / 2_592_000],
    ["3/1m30s", 3 / 90],
  ])("%j is the same in the file and on the command line", (text, maxRps) => {
    const config = inFile("rate", text);
    expect(typeof config === "object" && config.rate && toMaxRps(config.rate.stated)).toBeCloseTo(maxRps, 12);
    expect(onCommandLine(amountRateValue, text)).toBe(text);
  });

  it.each([
    ["10", "10/s"],
    ["1.5/s", "half a token a second is 1/2s"],
    ["10/fortnight", "us, ms, s, m, h, d, w, month (30 days) or y"],
    ["/m", "10/m"],
    ["-1/s", "10/m"],
    ["1e3/s", "10/m"],
  ])("%j is refused in the file and on the command line, with the form %s", (text, form) => {
    for (const refusal of [inFile("rate", text), onCommandLine(amountRateValue, text)]) expect(refusal).toContain(form);
  });

  it("in JSON is an amount per period, and a text is refused with its fields", async () => {
    expect((await inJson({ rate: { tokens: 10, per: "60s" } })).limiter).toMatchObject({
      rate: { tokens: 10, per: "60s" },
    });
    expect((await inJson({ rate: { tokens: 10, per: "1m" } })).message).toContain('such as "60s", found "1m"');
    expect((await inJson({ rate: "10/m" })).message).toContain(
      'limiter.rate: must be an object with tokens, per, found "10/m"',
    );
  });
});
