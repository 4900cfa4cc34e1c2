import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/server/config/config.ts";
import { type DataChoice, defaultDataChoice, readDataChoice } from "../../../src/server/config/data-choice.ts";
import { formatProblem } from "../../../src/server/config/problem.ts";

const noHome = () => {
  throw new Error("no such user");
};

describe("the default folder", () => {
  it.each<[string, Readonly<Record<string, string>>, string | undefined]>([
    ["of XDG_STATE_HOME", { XDG_STATE_HOME: "/state", HOME: "/home/me" }, "/state/backpressure"],
    ["of HOME", { HOME: "/home/me" }, "/home/me/.local/state/backpressure"],
    ["of HOME, where XDG_STATE_HOME is empty", { XDG_STATE_HOME: "", HOME: "/h" }, "/h/.local/state/backpressure"],
    ["of HOME, where XDG_STATE_HOME is relative", { XDG_STATE_HOME: "a", HOME: "/h" }, "/h/.local/state/backpressure"],
    ["of the password file, without HOME", {}, "/root/.local/state/backpressure"],
    ["of the password file, where HOME is empty", { HOME: "" }, "/root/.local/state/backpressure"],
    ["is nowhere, where HOME is relative", { HOME: "." }, undefined],
  ])("%s", (_what, variables, folder) => {
    expect(defaultDataChoice(variables, () => "/root")?.folder).toBe(folder);
  });

  it("is nowhere for a user without a home", () => {
    expect(defaultDataChoice({}, noHome)).toBeUndefined();
  });
});

/** What a file comes to beside a choice: the folder, what has set it, and what is said of it. */
function withChoice(yaml: string, data: DataChoice, overrides: Parameters<typeof parseConfig>[1]["overrides"] = []) {
  const reading = parseConfig(yaml, { path: "b.yaml", overrides, data });
  if (reading.kind === "invalid") return { problems: reading.problems.map(formatProblem) };
  const { settings, origins, notes } = reading;
  const origin = origins.get("store.folder");
  const by = origin === undefined ? undefined : origin.kind === "file" ? "file" : origin.name;
  return { folder: settings.store?.folder, by, notes: notes.map(formatProblem) };
}

const FILE = "store: { folder: /of/file }\n";
const OPTION = readDataChoice("/chosen", "option");
const VARIABLE = readDataChoice("/chosen", "variable");

describe("a choice", () => {
  it.each<[string, string, DataChoice, string | undefined, string | undefined]>([
    ["counts where the file says nothing", "", OPTION, "/chosen", "--data"],
    ["of the environment, too", "", VARIABLE, "/chosen", "BACKPRESSURE_DATA"],
    ["that is the default is set by nothing", "", { folder: "/d", by: "default" }, "/d", undefined],
    ["of none keeps nothing", "", readDataChoice("none", "option"), undefined, "--data"],
    ["leaves the file's other fields", "store: { leases: disk }", OPTION, "/chosen", "--data"],
    ["may say what the file says", FILE, readDataChoice("/of/file", "option"), "/of/file", "file"],
    ["may say it otherwise", "store: { folder: data }", readDataChoice("./data/", "option"), "data", "file"],
  ])("%s", (_what, yaml, choice, folder, by) => {
    expect(withChoice(yaml, choice)).toEqual({ folder, by, notes: [] });
  });

  it("of a relative path is from here", () => {
    expect(readDataChoice("data", "option").folder).toBe(`${process.cwd()}/data`);
    expect(readDataChoice("./none", "option").folder).toBe(`${process.cwd()}/none`);
  });

  it.each([
    [OPTION, "/chosen"],
    [readDataChoice("none", "option"), "none"],
  ])("of the command line that contradicts the file is refused", (choice, said) => {
    expect(withChoice(FILE, choice)).toEqual({
      problems: [`b.yaml:1:10: store.folder: is "/of/file", and --data says ${said}: leave one out`],
    });
    const override = { variable: "BACKPRESSURE_STORE_FOLDER", section: "store", field: "folder", value: "/v" } as const;
    expect(withChoice("", choice, [override])).toEqual({
      problems: [`BACKPRESSURE_STORE_FOLDER: store.folder: is "/v", and --data says ${said}: leave one out`],
    });
  });

  it("of the environment gives way to the file, which is said", () => {
    expect(withChoice(FILE, VARIABLE)).toEqual({
      folder: "/of/file",
      by: "file",
      notes: ["b.yaml:1:10: store.folder: wins over BACKPRESSURE_DATA, which says /chosen"],
    });
  });

  it("has fields of the store take effect", () => {
    const yaml = "store: { leases: disk }";
    expect(withChoice(yaml, readDataChoice("none", "variable")).notes).toEqual([
      "b.yaml:1:10: store.leases: has no effect without store.folder: nothing is kept",
    ]);
    expect(withChoice(yaml, VARIABLE).notes).toEqual([]);
  });
});
