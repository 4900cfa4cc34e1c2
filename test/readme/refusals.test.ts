import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REASONS } from "../../src/reasons/reasons.ts";

test("docs/refusals.md has a row for each reason, as the table of reasons has it", () => {
  const page = readFileSync(new URL("../../docs/refusals.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => /^\| [A-Z_]+ \|/.test(line));
  const expected = Object.entries(REASONS)
    // They travel as INVALID_REQUEST.
    .filter(([reason]) => reason !== "KEY_REQUIRED" && reason !== "KEY_NOT_ALLOWED")
    .map(([reason, row]) => `| ${reason} | ${row.code} | ${row.when} | ${"isAnswer" in row ? "yes" : ""} |`);
  expect(rows).toEqual(expected);
});
