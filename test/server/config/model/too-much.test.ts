import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { problems } from "../problems.ts";

describe("a file with too much is refused in words, and not slowly", () => {
  it("more than 50,000 limiters", () => {
    const limiters = Array.from({ length: 50_001 }, (_, index) => ({ name: `l${index}`, max_concurrent: 1 }));
    expect(problems(stringify({ limiters }))).toEqual([
      "b.yaml:1:1: limiters: must be a list of at most 50,000, found 50,001",
    ]);
  });

  it("a list of aliases without end", () => {
    const text = `limiters:\n- &a {name: a, max_concurrent: 1}\n${"- *a\n".repeat(300_000)}`;
    expect(problems(text)[0]).toBe("b.yaml:1:1: limiters: must be a list of at most 50,000, found 300,001");
  });

  it("merges and aliases that stand for more fields than any list has room for", () => {
    const many = Array.from({ length: 3_000 }, (_, index) => `f${index}: 1`).join(", ");
    const text = `x-base: &base {${many}}\nlimiters:\n${"- {<<: [*base, *base]}\n".repeat(5_000)}`;
    expect(problems(text).at(-1)).toMatch(/more from here on/);
    // Not far: a chain of merges is cut off.
    const chain = Array.from({ length: 5_000 }, (_, index) => `x-${index + 1}: &m${index + 1} {<<: *m${index}}`).join(
      "\n",
    );
    expect(problems(`x-0: &m0 {level: info}\n${chain}\nlogging: *m5000`)).toEqual([
      expect.stringMatching(/merges are nested too deeply/),
    ]);
  });
});
