import { describe, expect, it } from "vitest";
import { formatBar } from "../../src/cli/text/bar.ts";
import { formatCount, formatExactly, formatNumber } from "../../src/text/number.ts";

describe("numbers for people", () => {
  it.each([
    [0, "0"],
    [0.254, "0.25"],
    [3.138, "3.14"],
    [48.06, "48.1"],
    [123.4, "123"],
    [1234, "1,234"],
    [1_234_567, "1,234,567"],
  ])("have three digits or the whole number: %d is %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it("show a rate as it was chosen", () => {
    expect([0.001, 12.5, 1_000_000].map(formatExactly)).toEqual(["0.001", "12.5", "1000000"]);
  });

  it("count one lease and several leases", () => {
    expect([0n, 1n, 2n].map((count) => formatCount(count, "lease"))).toEqual(["0 leases", "1 lease", "2 leases"]);
  });
});

describe("a bar", () => {
  it.each([
    [0, 100, "░░░░"],
    [1, 100, "█░░░"],
    [50, 100, "██░░"],
    [99, 100, "███░"],
    [100, 100, "████"],
    [120, 100, "████"],
    [0, 0, ""],
  ])("shows what is not nothing, and what is not all: %d of %d", (part, whole, text) => {
    expect(formatBar(part, whole, 4)).toBe(text);
  });
});
