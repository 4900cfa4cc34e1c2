import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { foldersOnTheWay, watchPath } from "../../../../src/server/config/watch/watch-path.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "backpressure-way-")));
afterAll(() => rmSync(root, { recursive: true }));

beforeAll(() => {
  mkdirSync(join(root, "a/b"), { recursive: true });
  mkdirSync(join(root, "real/deep"), { recursive: true });
  writeFileSync(join(root, "a/b/file"), "");
  writeFileSync(join(root, "real/file"), "");
  symlinkSync("../../real/file", join(root, "a/b/link"));
  symlinkSync(join(root, "real/deep"), join(root, "a/folder"));
  symlinkSync("loop", join(root, "loop"));
});

it.each([
  ["a file", "a/b/file", { "a/b": ["file"] }],
  ["a link to a file", "a/b/link", { "a/b": ["link"], real: ["file"] }],
  ["a link to a folder, and up from where it leads", "a/folder/../file", { a: ["folder"], real: ["file"] }],
  ["what is missing", "a/b/none", { "a/b": ["none"] }],
  ["a folder that is missing", "a/none/b/file", { a: ["none"] }],
  ["a link that leads to itself", "loop", { "": ["loop"] }],
])("the way to %s can be changed where a name on it stands", (_what, path, expected) => {
  for (const start of [root, relative(process.cwd(), root)]) {
    const found = [...foldersOnTheWay(`${start}/${path}`)].map(([folder, names]) => [
      relative(root, folder),
      [...names],
    ]);
    expect(Object.fromEntries(found)).toEqual(expected);
  }
});

it("what happens in those folders to other names is no news", async () => {
  const path = join(root, "a/b/file");
  let news = 0;
  const watched = watchPath(path, { onNews: () => ++news, onError: (error) => expect.unreachable(error.message) });
  const heard: (string | null)[] = [];
  const witness = watch(join(root, "a/b"));
  const marked = new Promise<void>((resolve) => {
    witness.on("change", (_event, name) => {
      heard.push(String(name));
      if (name === "mark") resolve();
    });
  });
  for (const name of ["other", "file", "mark"]) writeFileSync(join(root, "a/b", name), "x");
  await marked;
  witness.close();
  watched.close();
  expect(news).toBe(heard.filter((name) => name === "file").length);
});
