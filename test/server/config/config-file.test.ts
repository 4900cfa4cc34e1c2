import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/server/config/config.ts";
import { formatProblem } from "../../../src/server/config/problem.ts";

const folder = mkdtempSync(join(tmpdir(), "backpressure-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function load(name: string): { readonly path: string; readonly answer: string | readonly string[] } {
  const path = join(folder, name);
  const reading = loadConfig({ path, overrides: [] });
  return { path, answer: reading.kind === "loaded" ? "loaded" : reading.problems.map(formatProblem) };
}

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}

describe("the error about a file that cannot be read names the file", () => {
  it("missing", () => {
    const { path, answer } = load("missing.yaml");
    expect(answer).toEqual([`${path}: there is no such file`]);
  });

  it("a folder", () => {
    const { path, answer } = load(".");
    expect(answer).toEqual([`${path}: must be a regular file`]);
  });

  it("above 16 MiB", () => {
    const { path, answer } = load(write("large.yaml", Buffer.alloc(16 * 1024 * 1024 + 1, "#")));
    expect(answer).toEqual([`${path}: must be at most 16777216 bytes, found 16777217`]);
  });

  it("no UTF-8", () => {
    const { path, answer } = load(write("latin1.yaml", Buffer.from("# caf\xe9\n", "latin1")));
    expect(answer).toEqual([`${path}: must be text in UTF-8`]);
  });
});

describe("a file is read", () => {
  it("up to 16 MiB", () => {
    expect(load(write("just.yaml", Buffer.alloc(16 * 1024 * 1024, "#"))).answer).toBe("loaded");
  });

  it("with a byte order mark and Windows' line ends", () => {
    expect(load(write("windows.yaml", "\ufefflimits:\r\n  max_waiters: 5\r\n")).answer).toBe("loaded");
  });
});
