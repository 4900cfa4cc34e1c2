/** What the help texts and the pages show can be typed: every example is read by the program's own parser, every file checked. */

import { readdirSync, readFileSync } from "node:fs";
import { type Command, CommanderError } from "commander";
import { describe, expect, it, test } from "vitest";
import { createProgram } from "../../src/cli/command-line.ts";
import type { Handle } from "../../src/cli/session/context.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { readFences } from "../readme/support/fences.ts";

const ROOT = new URL("../../", import.meta.url);
const PAGES = ["README.md", ...readdirSync(new URL("docs", ROOT)).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith(".md"),
);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");

/** Parses a command, and does nothing; rejects if it is wrong. */
async function parse(args: readonly string[]): Promise<void> {
  let reached = false;
  const handle: Handle = () => async () => {
    reached = true;
  };
  await createProgram(handle).parseAsync([...args], { from: "user" });
  if (!reached) throw new Error("no command was reached");
}

/** What follows `backpressure` in a line of a shell, up to a pipe, a comment, or what a help says of it; or in a list of a Dockerfile. */
function argsOf(line: string): readonly string[] | undefined {
  const [list] = /\["backpressure".*\]$/.exec(line) ?? [];
  if (list !== undefined) return JSON.parse(list).slice(1);
  const [, typed] = /(?:^|\s|\()backpressure(?: --)? (?!\.)(.*)$/.exec(line) ?? [];
  if (typed === undefined) return undefined;
  const args: string[] = [];
  for (const [word] of typed.replace(/ {3,}\S.*$/, "").matchAll(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"])+/g)) {
    if (/^(?:[|&;>#]|\d?>)/.test(word) || word.endsWith(")")) break;
    args.push(word.replaceAll(/['"]/g, ""));
  }
  return args;
}

/** Whether a line names the program, and not a file, a package, a service or a namespace of that name. */
function namesProgram(line: string): boolean {
  return /(?<![\w./-]|namespace: |kubectl -n )backpressure(?![\w./-])/.test(line);
}

/** Of lines that name the program, those that cannot be typed, with what is wrong, and how many can. */
async function tryLines(
  lines: readonly string[],
): Promise<{ readonly wrong: readonly string[]; readonly typed: number }> {
  const wrong: string[] = [];
  const named = lines.filter(namesProgram);
  for (const line of named) {
    const args = argsOf(line);
    if (args === undefined) wrong.push(`${line.trim()}: this test does not find its arguments`);
    else await parse(args).catch((error) => wrong.push(`${line.trim()}: ${error.message}`));
  }
  return { wrong, typed: named.length - wrong.length };
}

/** The help of a command and of all below it. */
async function helpsOf(path: readonly string[]): Promise<readonly string[]> {
  let help = "";
  let below: readonly string[] = [];
  const handle: Handle = () => async () => {};
  const program = createProgram(handle);
  // The help of a command is written where it is asked for.
  program.configureOutput({ writeOut: (text) => (help += text) });
  program.hook("preSubcommand", (_, command) => spread(command, (text) => (help += text)));
  const ended = await program.parseAsync([...path, "--help"], { from: "user" }).catch((error: unknown) => error);
  const isDisplayed = ended instanceof CommanderError && ended.code === "commander.helpDisplayed";
  if (!isDisplayed) throw new Error(`${path.join(" ")} --help shows no help`, { cause: ended });
  below = [...help.matchAll(/^ {2}([a-z][a-z-]*)(?:\|[a-z-]+)?(?: .*)? {2,}\S/gm)].map(([, name = ""]) => name);
  const names = /^Commands:|^[A-Z].*:\n {2}[a-z]/m.test(help) ? below : [];
  const deeper = path.length < 2 ? await Promise.all(names.map((name) => helpsOf([...path, name]))) : [];
  return [help, ...deeper.flat()];
}

function spread(command: Command, writeOut: (text: string) => void): void {
  command.configureOutput({ writeOut });
  for (const each of command.commands) spread(each, writeOut);
}

test("every example of a help text can be typed", { timeout: 60_000 }, async () => {
  const helps = new Set(await helpsOf([]));
  const examples = [...helps].flatMap((help) => (help.split("Examples:\n")[1]?.split("\n\n")[0] ?? "").split("\n"));
  const { wrong, typed } = await tryLines(examples);
  expect(wrong).toEqual([]);
  expect(typed).toBeGreaterThan(30);
});

test("every command that a page shows can be typed", async () => {
  const lines = PAGES.flatMap((page) =>
    readFences(read(page))
      .filter(({ language }) => language === "sh")
      .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, "").split("\n")),
  );
  const { wrong, typed } = await tryLines(lines);
  expect(wrong).toEqual([]);
  expect(typed).toBeGreaterThan(5);
});

describe("a wrong example", () => {
  it.each([
    "backpressure limiters set db --max-wait 1x",
    "backpressure limiters set db --rate 10",
    "backpressure chek x",
  ])("%s is found", async (line) => {
    await expect(parse(argsOf(line) ?? [])).rejects.toThrow();
  });

  it("is found where its arguments are not", async () => {
    const { wrong } = await tryLines(["  echo x |backpressure try db", "backpressure", "ls backpressure.yaml"]);
    expect(wrong).toEqual([
      "echo x |backpressure try db: this test does not find its arguments",
      "backpressure: this test does not find its arguments",
    ]);
  });

  it("is found where the help itself is wrong", async () => {
    await expect(helpsOf(["try", "--"])).rejects.toThrow("try -- --help shows no help");
  });
});

test("every configuration that a page shows is valid", () => {
  // Those of proxies, of Prometheus and of a client's pod are not this program's.
  const isOthers = (name: string) => name.startsWith("prometheus") || name === "kubernetes-client";
  const files = PAGES.filter((page) => page !== "docs/proxies.md").flatMap((page) =>
    readFences(read(page))
      .filter(({ language, name }) => language === "yaml" && !isOthers(name))
      .map(({ text }) => ({ page, text })),
  );
  expect(files.length).toBeGreaterThan(2);
  const wrong = files.flatMap(({ page, text }) => {
    const reading = parseConfig(text, { path: undefined, overrides: [] });
    return reading.kind === "invalid"
      ? reading.problems.map(({ message, field }) => `${page}: ${field}: ${message}`)
      : [];
  });
  expect(wrong).toEqual([]);
});

test("every setting that the guide to tuning names can be written so in a limiter", () => {
  const settings = Array.from(
    read("docs/tuning.md").matchAll(/`((?:ttl|max_wait|max_waiters|burst_size|rate|refuse_long_waits): [^`]+)`/g),
    ([, setting = ""]) => setting,
  );
  expect(settings.length).toBeGreaterThan(5);
  for (const setting of settings) {
    const rate = setting.startsWith("burst_size") ? "rate: 10/s, " : "";
    const text = `limiters: [{ name: db, max_concurrent: 1, ${rate}${setting} }]`;
    expect(parseConfig(text, { path: undefined, overrides: [] })).toMatchObject({ kind: "loaded" });
  }
});
