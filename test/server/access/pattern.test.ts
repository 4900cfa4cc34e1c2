// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file writes its placeholders like this.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { compile, compileFor, unknownPlaceholder } from "../../../src/server/access/pattern.ts";

const CALLER = { name: "k8s:app", tenant: "acme", claims: { region: "eu", empty: "", star: "a*" } };

describe("a pattern matches", () => {
  it.each([
    ["payments", ["payments"], ["payment", "payments-db", ""]],
    ["payments-*", ["payments-", "payments-db"], ["payments", "x-payments-db"]],
    ["*-db", ["-db", "payments-db"], ["payments-db2"]],
    ["a*b*c", ["abc", "aXbXc", "abbc"], ["acb", "ab", "ac"]],
    ["a*a", ["aa", "aba"], ["a"]],
    ["*", ["", "anything"], []],
    ["a.c", ["a.c"], ["abc"]],
  ])("%s", (pattern, those, others) => {
    const matches = compile(pattern);
    expect(those.filter((text) => !matches(text))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });
});

test("a pattern matches what a regular expression of it does", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
  fc.assert(
    fc.property(text, text, (pattern, candidate) => {
      const regular = new RegExp(`^${pattern.replaceAll("*", "[^]*")}$`);
      expect(compile(pattern)(candidate)).toBe(regular.test(candidate));
    }),
    { numRuns: 2_000 },
  );
});

describe("what stands for something of the caller", () => {
  it.each([
    ["${tenant}", "acme", true],
    ["${tenant}/*", "acme/1", true],
    ["${tenant}/*", "other/1", false],
    ["${caller}", "k8s:app", true],
    ["${claim.region}-*", "eu-1", true],
  ])("is put into %s as text: %s", (pattern, text, fits) => {
    expect(compileFor(pattern, CALLER)?.(text)).toBe(fits);
  });

  it.each([
    ["is missing", "${claim.none}/*"],
    ["is of the language's own", "${claim.constructor}"],
    ["is empty", "${claim.empty}*"],
    ["has a star", "${claim.star}"],
    ["is of no known kind", "${xxxxxxregion}"],
  ])("matches nothing where it %s", (_, pattern) => {
    expect(compileFor(pattern, CALLER)).toBeUndefined();
  });

  it("is named where nobody knows it", () => {
    expect(unknownPlaceholder("a-${tenant}-${nobody}")).toBe("${nobody}");
    expect(unknownPlaceholder("${caller}${tenant}${claim.x}")).toBeUndefined();
  });
});
