/** The page on metrics lists what the server has, as it is. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FAMILIES, type Family } from "../../../src/server/metrics/families.ts";

const PAGE = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");

test("docs/metrics.md has a row for each family, with its type, labels and words", () => {
  const rows = PAGE.split("\n").filter((line) => /^\| `(backpressure|rpc)_\w+` \|/.test(line));
  const all: readonly Family[] = Object.values(FAMILIES);
  expect(rows).toEqual(
    all.map(({ name, type, labels, help }) => {
      const names = labels.map((label) => `\`${label}\``).join(", ");
      return `| \`${name}\` | ${type} | ${names} | ${help} |`;
    }),
  );
});
