/** What the README says and needs no server for. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readFences } from "./support/fences.ts";
import { compile, run } from "./support/newcomer.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

test("the README's programs compile", async () => {
  const programs = readFences(README)
    .filter(({ language }) => language === "ts")
    .map(({ text }) => text);
  expect(programs.length).toBeGreaterThan(0);
  expect(await compile(...programs)).toEqual([]);
  expect(await compile("export const wrong: number = 'text';")).toEqual([expect.stringContaining("TS2322")]);
});

test("every command that it lists is there", async () => {
  const listed = Array.from(README.matchAll(/^backpressure (\w+)/gm), ([, command = ""]) => command);
  expect(listed.length).toBeGreaterThan(5);
  const help = await run("npm run -s backpressure -- --help");
  for (const command of listed) expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
});

test("every script of npm that it names is there", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const named = Array.from(README.matchAll(/npm run (?:-s )?([a-z:]+)/g), ([, script]) => script);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});
