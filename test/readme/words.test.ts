/** What the README says and needs no server for. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readFences } from "./support/fences.ts";
import { compile, run } from "./support/newcomer.ts";

const [README, BOARDS, REQUEST_PATH] = ["README.md", "docs/boards.md", "docs/request-path.md"].map((path) =>
  readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"),
) as [string, string, string];

test("the programs of the README and of the pages on boards and on request paths compile", {
  timeout: 120_000,
}, async () => {
  const programs = [README, BOARDS, REQUEST_PATH]
    .flatMap(readFences)
    .filter(({ language }) => language === "ts")
    .map(({ text }) => text);
  expect(programs.length).toBeGreaterThan(0);
  // The last one is the control.
  expect(await compile(...programs, "export const wrong: number = 'text';")).toEqual([
    expect.stringMatching(new RegExp(`program-${programs.length}\\.mts.*TS2322`)),
  ]);
});

test("every command that it lists is there", async () => {
  const listed = Array.from(README.matchAll(/^backpressure (\w+)/gm), ([, command = ""]) => command);
  expect(listed.length).toBeGreaterThan(5);
  const help = await run("npm run -s backpressure -- --help");
  for (const command of listed) expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
});

test("every command that the page on boards types is there", async () => {
  const typed = Array.from(BOARDS.matchAll(/backpressure -- board (\w+)/g), ([, command = ""]) => command);
  expect(typed.length).toBeGreaterThan(4);
  const help = await run("npm run -s backpressure -- board --help");
  for (const command of typed) expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
});

test("every script of npm that it names is there", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const named = Array.from(README.matchAll(/npm run (?:-s )?([a-z:]+)/g), ([, script]) => script);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});
