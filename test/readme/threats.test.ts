/** The table of threats in docs/security.md: each has a test, and something that has made that test fail. */

import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MEASURES } from "../reliability/support/threats.ts";

const ROOT = new URL("../../", import.meta.url);
/** Those of the design, and some that were met later. */
const THREATS = 20;

interface Row {
  readonly threat: string;
  /** What is named in it: files, each with parts of names of its tests. */
  readonly tests: readonly Named[];
  readonly controls: readonly string[];
}

interface Named {
  readonly file: string;
  readonly title: string | undefined;
}

function readRows(page: string): readonly Row[] {
  const [, table = ""] = page.split("| threat |");
  const lines = table.split("\n").slice(2);
  const rows: Row[] = [];
  let file = "";
  for (const line of lines.slice(0, lines.indexOf(""))) {
    const [threat = "", tests = "", controls = ""] = line.split("|").slice(1, -1);
    const named: Named[] = [];
    for (const [, code = ""] of tests.matchAll(/`([^`]+)`/g)) {
      if (code.startsWith("test/")) file = code;
      named.push({ file, title: code === file ? undefined : code });
    }
    rows.push({ threat: threat.trim(), tests: named, controls: controls.trim().split("; ") });
  }
  return rows;
}

/** What is wrong with a row. */
function faultsOf({ threat, tests, controls }: Row): readonly string[] {
  const missing = tests.flatMap(({ file, title }) => {
    if (!existsSync(new URL(file, ROOT))) return [`${threat}: there is no ${file}`];
    return title === undefined || textOf(file).includes(title) ? [] : [`${threat}: ${file} has no "${title}"`];
  });
  const files = tests.map(({ file }) => file).filter((file) => existsSync(new URL(file, ROOT)));
  const unproved = controls.flatMap((control) => {
    const [, title] = /^there: `(.+)`$/.exec(control) ?? [];
    if (title !== undefined) return files.some((file) => textOf(file).includes(title)) ? [] : [`no control: ${title}`];
    return control.startsWith("in the browser ") || MEASURES.some(({ without }) => without === control)
      ? []
      : [`no measure: ${control}`];
  });
  const bare = tests.some(({ title }) => title !== undefined) ? [] : [`${threat}: no test`];
  return [...new Set([...missing, ...unproved, ...bare])];
}

function textOf(file: string): string {
  return readFileSync(new URL(file, ROOT), "utf8");
}

const ROWS = readRows(textOf("docs/security.md"));

test("each threat has a test that is there, and something that has made it fail", () => {
  expect(ROWS.flatMap(faultsOf)).toEqual([]);
  expect(ROWS.length).toBeGreaterThanOrEqual(THREATS);
});

test("each measure that is taken away stands beside a threat, whose test it is", () => {
  const unnamed = MEASURES.filter(({ without }) => !ROWS.some(({ controls }) => controls.includes(without)));
  expect(unnamed.map(({ without }) => without)).toEqual([]);
  const lost = MEASURES.filter(({ test, title }) => !isThere(test, title));
  expect(lost.map(({ title }) => title)).toEqual([]);
});

/** Whether a file, or the cases that it plays, have a test of that name, which may be made of a table's. */
function isThere(test: string, title: string): boolean {
  const text = test.startsWith("test/contract/") ? textOf("test/contract/cases/callers.ts") : textOf(test);
  return title.split(/ (?=do not count|does not count|is sent away)/).every((part) => text.includes(part));
}

test("control: a file, a test, a control and a measure that are missing are found", () => {
  const page = (row: string) =>
    readRows(`| threat | test | where |\n| --- | --- | --- |\n${row}\n\n`).flatMap(faultsOf);
  const FLOORS = "`test/readme/floors.test.ts`";
  const PROVED = "half a file is taken up";
  expect(page(`| a | ${FLOORS}: \`versions are compared\` | ${PROVED} |`)).toEqual([]);
  expect(page(`| a | \`test/none.test.ts\`: \`b\` | ${PROVED} |`)).toEqual(["a: there is no test/none.test.ts"]);
  expect(page(`| a | ${FLOORS}: \`no such test\` | ${PROVED} |`)).toHaveLength(1);
  expect(page(`| a | ${FLOORS}: \`versions are compared\` | there: \`no control\` |`)).toEqual([
    "no control: no control",
  ]);
  expect(page(`| a | ${FLOORS}: \`versions are compared\` | nothing |`)).toEqual(["no measure: nothing"]);
  expect(page(`| a | ${FLOORS} | ${PROVED} |`)).toEqual(["a: no test"]);
});
