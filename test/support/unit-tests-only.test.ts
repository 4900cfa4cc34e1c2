/** The control of `unit-tests-only.ts`: what a unit test must not need is refused, with where the test belongs. */

import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { expect, it } from "vitest";

it.each<[string, () => unknown]>([
  ["listens on a port", () => createServer().listen(0)],
  ["opens a connection", () => connect(1, "127.0.0.1")],
  ["starts a process", () => spawn("true")],
])("a unit test that %s is refused", (what, act) => {
  expect(act).toThrow(`a unit test ${what}: put it into a folder named sockets or processes (see vitest.config.ts)`);
});
