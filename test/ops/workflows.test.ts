/** The workflows of .github: well formed, allowed nothing that they do not need, of actions that cannot change, and of files that exist. */

import { accessSync, constants, existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseDocument } from "yaml";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PATHS = globSync(".github/workflows/*.yml", { cwd: ROOT }).toSorted();
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly permissions?: object; readonly steps: readonly Step[] }>>;
}

function readWorkflow(text: string): Workflow {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Error(document.errors.map(String).join("\n"));
  return document.toJS() as Workflow;
}

/** What is wrong with a workflow. */
function problemsOf(text: string): readonly string[] {
  const { permissions, jobs } = readWorkflow(text);
  const problems: string[] = [];
  if (JSON.stringify(permissions) !== '{"contents":"read"}') problems.push("permissions");
  for (const [name, job] of Object.entries(jobs)) {
    if (job.permissions !== undefined) problems.push(`${name}: permissions of its own`);
    for (const step of job.steps) {
      for (const problem of problemsOfStep(step, text)) problems.push(`${name}: ${problem}`);
    }
  }
  return problems;
}

function* problemsOfStep({ uses, run = "", with: options = {} }: Step, text: string): Generator<string> {
  if (uses !== undefined) {
    // The version that a hash stands for is beside it, for people and for what proposes updates.
    const isPinned =
      /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(uses) && new RegExp(`${uses} # v\\d+\\.\\d+\\.\\d+$`, "m").test(text);
    if (!isPinned) yield `${uses} is not pinned`;
    if (uses.startsWith("actions/checkout@") && options["persist-credentials"] !== false) yield "keeps credentials";
  }
  for (const [, script = ""] of run.matchAll(/npm run (\S+)/g)) if (!(script in scripts)) yield `no script ${script}`;
  const files = [
    ...run.matchAll(/--lockfile=(\S+)/g),
    ...Object.values(options).flatMap((value) => [...`${value}`.matchAll(/^(\w\S*\/\S+)$/g)]),
  ];
  for (const [, file = ""] of files) if (!existsSync(join(ROOT, file))) yield `no file ${file}`;
  for (const [, program = ""] of run.matchAll(/(?:^|\s)(\.\S+)$/gm))
    if (!isExecutable(program)) yield `no program ${program}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(join(ROOT, path), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const CI = readFileSync(join(ROOT, ".github/workflows/ci.yml"), "utf8");

test.each(PATHS)("%s is allowed to read, takes pinned actions alone, and names what exists", (path) => {
  expect(problemsOf(readFileSync(join(ROOT, path), "utf8"))).toEqual([]);
});

test.each([
  ["more permissions", (text: string) => text.replace("contents: read", "contents: write"), "permissions"],
  [
    "an action by its tag",
    (text: string) => text.replace(/checkout@\S+ # v4\.2\.2/, "checkout@v4"),
    "run: actions/checkout@v4 is not pinned",
  ],
  [
    "credentials that stay",
    (text: string) => text.replace("persist-credentials: false", "fetch-depth: 1"),
    "run: keeps credentials",
  ],
  [
    "a program that there is not",
    (text: string) => text.replace(".ci/run\n", ".ci/walk\n"),
    "run: no program .ci/walk",
  ],
  [
    "a file that there is not",
    (text: string) => text.replace("go/go.mod", "go/none.mod"),
    "run: no file examples/go/none.mod",
  ],
])("%s would be found", (_, spoil, problem) => {
  expect(problemsOf(spoil(CI))).toContain(problem);
});

test("CI runs .ci/run, and dependencies are looked at weekly", () => {
  expect(CI).toContain(".ci/run\n");
  const { on, jobs } = readWorkflow(readFileSync(join(ROOT, ".github/workflows/dependencies.yml"), "utf8"));
  expect(on.schedule).toEqual([{ cron: expect.stringMatching(/^\d+ \d+ \* \* [0-6]$/) }]);
  const commands = Object.values(jobs).flatMap(({ steps }) => steps.map(({ run = "" }) => run));
  expect(commands).toEqual(
    expect.arrayContaining([expect.stringMatching(/^npm audit/), expect.stringMatching(/^osv-scanner/)]),
  );
});
