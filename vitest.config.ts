import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { configDefaults, defineConfig, type TestProjectConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// Hundreds of servers and command lines start from the sources; what Node has compiled of them is kept from one to the next.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "backpressure-compiled");

/**
 * The folder in which a test file lies says what it needs, and so its project; one in any other folder is a unit test. Each
 * name stands here once, so that each file belongs to one project.
 */
const FOLDERS = {
  /** Real proxies; the suite of Connect and gRPC. */
  proxies: ["proxies"],
  conformance: ["conformance"],
  /** The README, run as it stands. */
  readme: ["readme"],
  /** Chromium. */
  browser: ["browser"],
  /** Servers, command lines and clients in processes of their own, and files that change under a watch. */
  processes: ["processes", "examples"],
  /** Real servers and connections, in the process of the test. */
  sockets: ["sockets", "e2e", "transport", "middleware"],
  /** The battery that holds each engine to the words of the port: in memory, over a disk, and in another thread. */
  contract: ["contract"],
  /** Random commands against models, and inputs as large as a bound allows: seconds of computing. */
  model: ["model"],
  /** Minutes of attacks and faults, which want the machine for themselves: `npm run test:reliability`. */
  reliability: ["reliability"],
};

type Kind = keyof typeof FOLDERS;

/** Kinds whose tests compute from their beginning to their end. All others wait for half of their time or more. */
const COMPUTING: readonly Kind[] = ["contract", "model"];

/**
 * On a shared machine a stall of a second is no fault of the server's. Where nobody can look, a test that has a bound in time
 * may fail once: what passed only when it ran again is listed (`.ci/run`). What a seed decides has `retry: 0`.
 */
const TIMED = { retry: process.env.CI ? 1 : 0 };
/**
 * What waits runs first, three workers for two cores: with more of them a slow machine spends its time on what it switches between.
 * What computes has the cores for itself afterwards, so that its load delays nothing that is timed. Vitest runs groups one after
 * the other, and gives the files of one group the same number of workers.
 */
const WAITS = { ...TIMED, maxWorkers: Math.ceil(1.5 * availableParallelism()), sequence: { groupOrder: 0 } };
const COMPUTES = { maxWorkers: availableParallelism(), sequence: { groupOrder: 1 } };
/** ms. */
const TEST_TIMEOUT = 30_000;
/** One file at a time, for minutes: it may fail once anywhere. */
const ALONE = { retry: 1, fileParallelism: false };

/** Begins with the kinds that have the longest files, in the order of `FOLDERS`, so that none of these is left at the end. */
class LongestKindFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = Object.keys(FOLDERS);
    const placeOf = ({ project }: TestSpecification) => order.indexOf(project.name);
    return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
  }
}

function inFolders(folders: readonly string[]): string[] {
  return folders.map((folder) => `test/**/${folder}/*.test.ts`);
}

function project(name: Kind): TestProjectConfiguration {
  // A machine that is busy takes seconds to start a process, of which a test may start twenty.
  const testTimeout = name === "processes" ? 90_000 : TEST_TIMEOUT;
  const workers = name === "reliability" ? ALONE : COMPUTING.includes(name) ? COMPUTES : WAITS;
  return { extends: true, test: { name, include: inFolders(FOLDERS[name]), testTimeout, ...workers } };
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
    ...COMPUTES,
  },
};

/**
 * What is tested of the client over streams is tested once more over sessions: the tests of what it makes of calls in the unit
 * tests, over a session in memory, and its tests with real servers. What runs servers a second time is named `…-again`, and is
 * left to CI (`npm run test:again`).
 */
const IN_SESSIONS = {
  unit: ["acquire", "answer-within", "board-{pull,work,work-loop}", "lease", "on-unavailable", "try-acquire"],
  sockets: [
    "client/processes/{board-node,leak,node}",
    "client/sockets/{boards,limit}",
    "e2e/{client-resume,connection-cuts,refusals,silent-holders}",
    "e2e/processes/answer-within",
  ],
};

const unitInSessions: TestProjectConfiguration = {
  extends: true,
  test: {
    ...unit.test,
    name: "unit-sessions",
    include: IN_SESSIONS.unit.map((name) => `test/client/${name}.test.ts`),
    exclude: [],
    env: { CARRIER: "sessions" },
  },
};

const socketsInSessions: TestProjectConfiguration = {
  extends: true,
  test: {
    name: "sessions-again",
    include: IN_SESSIONS.sockets.map((name) => `test/${name}.test.ts`),
    env: { CARRIER: "sessions" },
    ...WAITS,
  },
};

/**
 * What clients see of a server with transport workers: these files run a second time. All the others may:
 * `BACKPRESSURE_TEST_WORKERS=2 npx vitest run --project sockets`.
 */
const WITH_WORKERS = [
  "authentication",
  "board-liveness",
  "board-pull",
  "board-watch",
  "caller-bounds",
  "certificate-callers",
  "client-resume",
  "credential-end",
  "fair",
  "lease-ends",
  "limiter-watch",
  "liveness-resume",
  "metrics",
  "metrics-access",
  "operator-acts",
  "refusals",
  "server-status",
  "sessions",
  "tls",
  "waiting",
];

const workers: TestProjectConfiguration = {
  extends: true,
  test: {
    name: "workers-again",
    include: WITH_WORKERS.map((name) => `test/e2e/${name}.test.ts`),
    env: { BACKPRESSURE_TEST_WORKERS: "2" },
    ...WAITS,
  },
};

/** The client as most have it, over sessions, and a server as most have it, with transport workers. */
const IN_SESSIONS_WITH_WORKERS = [
  "client/processes/{board-node,node}",
  "client/sockets/{boards,limit}",
  "e2e/{client-resume,connection-cuts,refusals,silent-holders}",
];

const sessionsWithWorkers: TestProjectConfiguration = {
  extends: true,
  test: {
    name: "sessions-with-workers-again",
    include: IN_SESSIONS_WITH_WORKERS.map((name) => `test/${name}.test.ts`),
    env: { CARRIER: "sessions", BACKPRESSURE_TEST_WORKERS: "2" },
    ...WAITS,
  },
};

export default defineConfig({
  test: {
    testTimeout: TEST_TIMEOUT,
    hookTimeout: 30_000,
    sequence: { sequencer: LongestKindFirst },
    // A secret that any process has written fails the file that has started it, or the run.
    setupFiles: ["test/support/secrets/setup.ts"],
    globalSetup: ["test/support/secrets/suite-output.ts"],
    // A server that a test starts without a folder keeps nothing in the home of the developer.
    env: { XDG_STATE_HOME: join(tmpdir(), "backpressure-state-of-tests") },
    projects: [
      unit,
      unitInSessions,
      socketsInSessions,
      ...(Object.keys(FOLDERS) as Kind[]).map(project),
      workers,
      sessionsWithWorkers,
    ],
  },
});
