import { describe, expect, it } from "vitest";
import { formatFields } from "../../../src/cli/text/fields.ts";
import { type Column, formatTable } from "../../../src/cli/text/table.ts";
import { printable, textWidth, truncate, wrapText } from "../../../src/cli/text/width.ts";

interface Row {
  readonly name: string;
  readonly count: number;
  readonly state: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: "NAME", cell: ({ name }) => name, cut: true },
  { heading: "COUNT", cell: ({ count }) => `${count}`, align: "right", leaveOut: 1 },
  { heading: "STATE", cell: ({ state }) => state, leaveOut: 0 },
];

const ROWS: readonly Row[] = [
  { name: "partner-api/orders", count: 7, state: "active" },
  { name: "gpu", count: 1200, state: "paused" },
];

describe("formatTable", () => {
  it("makes columns as wide as they need to be, numbers to the right, nothing at the end of a line", () => {
    expect(formatTable(COLUMNS, ROWS)).toEqual([
      "NAME                COUNT  STATE",
      "partner-api/orders      7  active",
      "gpu                  1200  paused",
    ]);
  });

  it("leaves columns out where there is no room, the least important first", () => {
    expect(formatTable(COLUMNS, ROWS, 32)[0]).toBe("NAME                STATE");
    expect(formatTable(COLUMNS, ROWS, 20)[0]).toBe("NAME");
  });

  it("cuts what may be cut when nothing is left to leave out, but not to nothing", () => {
    expect(formatTable(COLUMNS, ROWS, 12)).toEqual(["NAME", "partner-api…", "gpu"]);
    expect(formatTable(COLUMNS, ROWS, 3)).toEqual(["NAME", "partner…", "gpu"]);
  });

  it("lines up letters that are two columns wide, and those that have no width", () => {
    const rows = [
      { name: "審査", count: 1, state: "a" },
      { name: "e\u0301te\u0301", count: 2, state: "b" },
      { name: "🚀", count: 3, state: "c" },
    ];
    expect(formatTable(COLUMNS, rows)).toEqual([
      "NAME  COUNT  STATE",
      "審査      1  a",
      "e\u0301te\u0301       2  b",
      "🚀        3  c",
    ]);
  });

  it("does not let a holder's words reach the terminal's ears", () => {
    const rows = [{ name: "\u001b[2Jowned\nnext", count: 1, state: "a" }];
    expect(formatTable(COLUMNS, rows)[1]).toBe("\\u001b[2Jowned\\u000anext      1  a");
  });
});

describe("text", () => {
  it("is as wide as a terminal draws it", () => {
    expect(["abc", "審査", "e\u0301", "λ/s", "🚀"].map(textWidth)).toEqual([3, 4, 1, 3, 2]);
  });

  it("is cut to at most so many columns, wide letters whole", () => {
    expect(truncate("abcdef", 6)).toBe("abcdef");
    expect(truncate("abcdef", 4)).toBe("abc…");
    expect(truncate("審査中", 4)).toBe("審…");
    expect(truncate("abc", 0)).toBe("");
  });

  it("keeps control characters and marks that turn the direction of reading visible", () => {
    expect(printable("a\tb\u009bc\u202ed")).toBe("a\\u0009b\\u009bc\\u202ed");
  });
});

describe("formatFields", () => {
  it("puts values below one another, and nothing that a terminal would obey", () => {
    expect(
      formatFields([
        ["λ", "3/s"],
        ["granted", "\u001b[31m7"],
      ]),
    ).toEqual(["λ        3/s", "granted  \\u001b[31m7"]);
  });
});

describe("wrapped text", () => {
  it.each([
    ["as long as it takes", undefined, ["one two three"]],
    ["at the last space that fits", 7, ["one two", "three"]],
    ["one word a line", 3, ["one", "two", "th…"]],
    ["nowhere where it fits", 13, ["one two three"]],
  ])("is broken %s", (_, columns, lines) => {
    expect(wrapText("one two three", columns)).toEqual(lines);
  });

  it("holds nothing that a terminal obeys", () => {
    expect(wrapText("a\n\u001b[2J b", 20)).toEqual(["a\\u000a\\u001b[2J b"]);
  });
});
