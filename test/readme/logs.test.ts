/** docs/logs.md has each line that the server may write, by its event and level, and none besides. */

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const sources = globSync("src/server/**/*.ts", { cwd: ROOT, exclude: ["src/server/gen/**"] }).map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), "utf8"),
}));

/** A call of the log, up to where its event stands. */
const CALL = /\blog\??\.(debug|info|warn|error)\(\s*\{\s*(?:event(?:: "([a-z-]+)")?)?/g;
/** Lines whose event is a parameter of the function that writes them. */
const BY_PARAMETER = /\bwarn\(\s*"([a-z-]+)"/g;

const written = sources.flatMap(({ path, text }) => [
  ...[...text.matchAll(CALL)].map(([found, level, event]) => ({ path, found, level: level ?? "", event })),
  ...[...text.matchAll(BY_PARAMETER)].map(([found, event]) => ({ path, found, level: "warn", event })),
]);

test("each line of the log has an event", () => {
  const nameless = written.filter(({ event, found }) => event === undefined && !/event$/.test(found));
  expect(nameless.map(({ path, found }) => `${path}: ${found}`)).toEqual([]);
});

test("each event has a row in docs/logs.md, and each row is one of an event", () => {
  const page = readFileSync(join(ROOT, "docs/logs.md"), "utf8");
  const rows = [...page.matchAll(/^\| ([a-z-]+) \| (debug|info|warn|error) \|/gm)].map(([, event, level]) => [
    event,
    level,
  ]);
  const events = written.flatMap(({ event, level }) => (event === undefined ? [] : [[event, level]]));
  // What it says when it begins to serve is no line of the log, but has its form.
  const expected = [...events, ["serving", "info"]].map((row) => row.join(" "));
  expect(rows.map((row) => row.join(" ")).sort()).toEqual([...new Set(expected)].sort());
});
