import { fromJson } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durationJson, durationText } from "../../../src/server/wire/duration-text.ts";

describe("a duration", () => {
  it.each([
    ["10s", "10s"],
    ["250ms", "0.250000000s"],
    ["1m30s", "90s"],
    ["1h", "3600s"],
    ["1.5h", "5400s"],
    ["1d", "86400s"],
    ["1h1m1s1ms1us", "3661.001001000s"],
    ["1µs", "0.000001000s"],
    ["0s", "0s"],
    ["1.001ms", "0.001001000s"],
    ["2562047.5h0.001us", "9223371000.000000001s"],
    ["0.4us0.6us", "0.000001000s"],
    ["99999999999999h", "315576000000s"],
    [`${"9".repeat(400)}s`, "315576000000s"],
  ])("%s is %s", (text, json) => {
    expect(durationJson(text)).toBe(json);
  });

  it.each(["", "10", "s", "10 s", "-1s", "+1s", "1w", "1e3s", "1,5s", ".5s", "1.s", "1S", "1m 30s", "ten", "1s\n"])(
    "is not written as %j",
    (text) => {
      expect(durationJson(text)).toBeUndefined();
    },
  );

  it.each([
    ["90s", "1m30s"],
    ["0.250s", "250ms"],
    ["0s", "0s"],
    ["86400s", "1d"],
    ["93784.005s", "1d2h3m4s5ms"],
    ["0.000001s", "1us"],
  ])("%s is shown as %s, and read back", (json, text) => {
    expect(durationText(json)).toBe(text);
    expect(fromJson(DurationSchema, durationJson(text) ?? "")).toEqual(fromJson(DurationSchema, json));
  });

  it("is the sum of its parts, to the ns, in whatever order", () => {
    const NANOS = { h: 3_600_000_000_000n, m: 60_000_000_000n, s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n } as const;
    const parts = fc.array(
      fc.record({ count: fc.integer({ min: 0, max: 1_000_000 }), unit: fc.constantFrom("h", "m", "s", "ms", "us") }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(parts, (chosen) => {
        const json = durationJson(chosen.map(({ count, unit }) => `${count}${unit}`).join("")) ?? "";
        const { seconds, nanos } = fromJson(DurationSchema, json);
        const sum = chosen.reduce(
          (total, { count, unit }) => total + BigInt(count) * NANOS[unit as keyof typeof NANOS],
          0n,
        );
        expect(seconds * 1_000_000_000n + BigInt(nanos)).toBe(sum);
      }),
    );
  });
});
