/**
 * Runs before each file of tests: a secret that was written while the file ran fails it. What is searched: all that processes write which it
 * starts, and what servers log in its own process, where tests read it (`memory-log.ts`). What the suite itself prints is searched
 * by `suite-output.ts`.
 */

import { afterAll } from "vitest";
import { takeLeaks } from "./leaks.ts";
import "./tap-processes.ts";

afterAll(() => {
  const leaks = takeLeaks();
  if (leaks.length === 0) return;
  const lines = leaks.map(({ from, kind, line }) => `${kind} was written to ${from}: ${line}`);
  throw new Error(`secrets were written where they do not belong:\n${lines.join("\n")}`);
});
