import { expect, test } from "vitest";
import { formatBytes } from "../../src/text/bytes.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1 kB"],
  [48_250_000, "48.3 MB"],
  [1_234_000_000, "1.23 GB"],
  [5e16, "50,000 TB"],
])("a size has three digits or the whole number: %d is %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
