import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { configDefaults, defineConfig, type TestProjectConfiguration } from "vitest/config";

/**
 * The folder in which a test file lies says what it needs, and so its project; one in any other folder is a unit test. Each
 * name stands here once, so that each file belongs to one project.
 */
const FOLDERS = {
  /** Random commands against models, and inputs as large as a bound allows: seconds of computing. */
  model: ["model"],
  /** The battery that holds each engine to the words of the port: in memory, over a disk, and in another thread. */
  contract: ["contract"],
  /** Real servers and connections, in the process of the test. */
  sockets: ["sockets", "e2e", "transport", "middleware"],
  /** Servers, command lines and clients in processes of their own, and files that change under a watch. */
  processes: ["processes", "examples"],
  /** Chromium. */
  browser: ["browser"],
  /** Real proxies; the suite of Connect and gRPC. */
  proxies: ["proxies"],
  conformance: ["conformance"],
  /** The README, run as it stands. */
  readme: ["readme"],
  /** Minutes of attacks and faults, which want the machine for themselves: `npm run test:reliability`. */
  reliability: ["reliability"],
};

function inFolders(folders: readonly string[]): string[] {
  return folders.map((folder) => `test/**/${folder}/*.test.ts`);
}

function project(name: keyof typeof FOLDERS): TestProjectConfiguration {
  // On a shared machine a stall of a second is no fault of the server's: what has a bound in time may fail once, and is
  // reported. What a seed decides has `retry: 0`.
  const retry = name === "reliability" ? 1 : 0;
  return { extends: true, test: { name, include: inFolders(FOLDERS[name]), retry } };
}

const unit: TestProjectConfiguration = {
  extends: true,
  test: {
    name: "unit",
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...inFolders(Object.values(FOLDERS).flat())],
    // Nothing of a process is changed by a unit test, so all of them may share it.
    pool: "threads",
    isolate: false,
    setupFiles: ["test/support/unit-tests-only.ts"],
    restoreMocks: true,
    unstubGlobals: true,
  },
};

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: availableParallelism(),
    // A server that a test starts without a folder keeps nothing in the home of the developer.
    env: { XDG_STATE_HOME: join(tmpdir(), "backpressure-state-of-tests") },
    projects: [unit, ...(Object.keys(FOLDERS) as (keyof typeof FOLDERS)[]).map(project)],
  },
});
