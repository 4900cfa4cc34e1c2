/** What may stand at the cursor, by the commands' own definitions. */

import { describe, expect, it } from "vitest";
import { createProgram } from "../../../src/cli/command-line.ts";
import { COMMAND_GROUPS } from "../../../src/cli/command-list.ts";
import { splitLine } from "../../../src/cli/completion/complete.ts";
import { COMPLETE, SCRIPTS, SHELLS } from "../../../src/cli/completion/scripts.ts";
import { findWanted } from "../../../src/cli/completion/wanted.ts";
import type { Handle } from "../../../src/cli/session/context.ts";

const handle: Handle = () => async () => {};

async function find(...words: string[]) {
  return findWanted(createProgram(handle), words, async (command) => {
    const entry = COMMAND_GROUPS.flatMap(([, group]) => group).find(({ name }) => name === command.name());
    (await entry?.load())?.(command, handle);
  });
}

async function wordsAt(...words: string[]): Promise<readonly string[]> {
  const { wanted } = await find(...words);
  return wanted.kind === "words" ? wanted.words.map(({ word }) => word) : [];
}

describe("at the cursor", () => {
  it("are all commands at first, and no other: the list is the program's", async () => {
    const names = COMMAND_GROUPS.flatMap(([, group]) => group.map(({ name }) => name));
    expect((await wordsAt("")).toSorted()).toEqual(names.toSorted());
    expect(await wordsAt("x")).toEqual(await wordsAt(""));
  });

  it.each([
    [
      ["limiters", ""],
      ["list", "watch", "get", "set", "pause", "resume", "delete"],
    ],
    [
      ["--json", "limiters", "w"],
      ["list", "watch", "get", "set", "pause", "resume", "delete"],
    ],
    [
      ["--address", "limiters", "limiters", ""],
      ["list", "watch", "get", "set", "pause", "resume", "delete"],
    ],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["audit", ""], ["verify"]],
    [
      ["--token-file", "ci.token", "access", "token:ci", ""],
      ["acquire", "observe", "operate"],
    ],
  ])("after %j are the words that there are", async (words, expected) => {
    expect(await wordsAt(...words)).toEqual(expected);
  });

  it.each([
    [["explain", ""], "limiter"],
    [["explain", "--key", "a", ""], "limiter"],
    [["limiters", "watch", "a", "b", ""], "limiter"],
    [["limiters", "set", ""], "limiter"],
    [["leases", "--limiter", ""], "limiter"],
    [["revoke", ""], "lease"],
    [["board", "--board", ""], "board"],
    [["board", "delete", ""], "board"],
    [["board", "finish", ""], "card"],
    [["board", "pull", ""], "stage"],
  ] as const)("after %j are names of a %s", async (words, of) => {
    expect((await find(...words)).wanted).toEqual({ kind: "names", of });
  });

  it.each([
    [["check", ""], "files"],
    [["serve", "--config", ""], "files"],
    [["serve", "--data", ""], "folders"],
    [["access", "token:ci", "operate", "db", "--config", ""], "files"],
    [["audit", "verify", ""], "files"],
    [["--ca-file", ""], "files"],
    [["limiters", "list", "--cert-file", ""], "files"],
    [["limiters", "list", "--key-file", ""], "files"],
    [["limiters", "list", "--token-file", ""], "files"],
    [["limiters", "list", "--server-name", ""], "nothing"],
    [["token", ""], "nothing"],
    [["run", "gpu", "--", ""], "commands"],
    [["run", "gpu", "--", "python", "tr"], "commands"],
    [["explain", "gpu", ""], "nothing"],
    [["limiters", "set", "gpu", "--ttl", ""], "nothing"],
    [["nonsense", ""], "nothing"],
  ])("after %j is something of kind %s", async (words, kind) => {
    expect((await find(...words)).wanted.kind).toBe(kind);
  });

  it("are options of the command and of all", async () => {
    const options = await wordsAt("limiters", "delete", "--");
    for (const option of ["--force", "--etag", "--json", "--address", "--help"]) expect(options).toContain(option);
    expect(options).not.toContain("--key");
  });

  it.each([
    [
      ["limiters", "list", "--"],
      ["--ca-file", "--cert-file", "--key-file", "--server-name", "--token-file"],
    ],
    [
      ["access", "--"],
      ["--config", "--key", "--tenant", "--group", "--claim"],
    ],
    [["audit", "verify", "--"], ["--json"]],
  ])("after %j are those of credentials, and of the command", async (words, expected) => {
    expect(await wordsAt(...words)).toEqual(expect.arrayContaining(expected));
    // Everybody may read the arguments of a program: it is to be in a file.
    expect(await wordsAt(...words)).not.toContain("--token");
  });

  it("have each a line of words that says what it is", async () => {
    for (const [, group] of COMMAND_GROUPS) {
      for (const { name } of group) {
        const { wanted } = await find(name, "--");
        const bare = wanted.kind === "words" ? wanted.words.filter(({ description }) => description === "") : [];
        expect(bare, name).toEqual([]);
      }
    }
  });

  it("finds where the server is, and which board is meant", async () => {
    const { given } = await find("--address", "db:1", "board", "--board", "release", "finish", "");
    expect(Object.fromEntries(given)).toEqual({ "--address": "db:1", "--board": "release" });
  });
});

describe("a line that is typed", () => {
  it.each([
    ["backpressure", ["backpressure"]],
    ["backpressure ", ["backpressure", ""]],
    ["backpressure  explain gp", ["backpressure", "explain", "gp"]],
    ["backpressure --address localhost:50051 ex", ["backpressure", "--address", "localhost:50051", "ex"]],
    [`backpressure add 'a b' "c d" e\\ f g`, ["backpressure", "add", "a b", "c d", "e f", "g"]],
    [`backpressure add '' "`, ["backpressure", "add", "", ""]],
  ])("%s", (line, words) => {
    expect(splitLine(line)).toEqual(words);
  });
});

it.each(SHELLS)("the script for %s asks this program", (shell) => {
  expect(SCRIPTS[shell]).toContain(` ${COMPLETE} `);
});
