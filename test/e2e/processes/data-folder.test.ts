/** Where a server keeps its data if no file says it: it is there again after a restart, and what stands in the way is said in words. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { headChecksum } from "../../../src/server/store/sqlite/checksum.ts";
import { SCHEMA } from "../../../src/server/store/sqlite/schema.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SERVE = [process.execPath, join(ROOT, "src/cli/main.ts"), "serve"] as const;
const FREE = { BACKPRESSURE_GRPC_LISTEN: "127.0.0.1:0", BACKPRESSURE_WEB_LISTEN: "127.0.0.1:0" };

interface Place {
  /** A folder of the test's own. */
  readonly folder: string;
  /** An environment in which that is the user's folder for state. */
  readonly env: NodeJS.ProcessEnv;
}

interface Serving {
  readonly address: string;
  /** As the greeting names it. */
  readonly data: string | null;
  readonly pid: number;
  stop(): Promise<void>;
}

interface StartOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
}

function createPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-place-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { folder, env: { ...process.env, ...FREE, XDG_STATE_HOME: folder } };
}

/** Starts a program away from any terminal; it ends with the test. */
function start([file = "", ...args]: readonly string[], options: StartOptions): ChildProcess {
  const child = spawn(file, args, { cwd: ROOT, ...options, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const ended = once(child, "exit");
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), "SIGKILL");
    await ended;
  });
  return child;
}

async function serve(command: readonly string[], options: StartOptions): Promise<Serving> {
  const child = start(command, options);
  const ended = once(child, "exit");
  const greeting = await new Promise<string>((resolve, reject) => {
    let printed = "";
    child.stdout?.setEncoding("utf8").on("data", (more: string) => {
      printed += more;
      // Above it npm says what it runs.
      const line = printed.split("\n").find((each) => each.startsWith("{"));
      if (line !== undefined && printed.endsWith("\n")) resolve(line);
    });
    void text(child.stderr as NonNullable<typeof child.stderr>).then((said) => reject(new Error(said)));
  });
  const { grpc, data } = JSON.parse(greeting);
  return {
    address: grpc,
    data,
    pid: child.pid as number,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Starts it where it must not serve; resolves with what it says and its exit code. */
async function refused(command: readonly string[], options: StartOptions): Promise<{ code: number; said: string }> {
  const child = start(command, options);
  const said = text(child.stderr as NonNullable<typeof child.stderr>);
  const [code] = await once(child, "exit");
  return { code, said: await said };
}

/** Leaves something of each kind at a server. */
async function leave({ address }: Serving): Promise<void> {
  await using client = createGrpcClient(address);
  const ttl = { seconds: 600n };
  await client.call(LimiterService.method.createLimiter, { limiter: { name: "gpu", maxConcurrent: 2, ttl } });
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "gpu" }] });
  const stages = [{ name: "Todo" }, { name: "Done" }];
  await client.call(BoardService.method.createBoard, { board: { name: "delivery", stages } });
  await client.call(BoardService.method.addCard, { board: "delivery", card: { id: "parser", title: "Parse" } });
}

/** What is there of it. */
async function found({ address }: Serving): Promise<readonly string[]> {
  await using client = createGrpcClient(address);
  const { limiters } = await client.call(LimiterService.method.listLimiters, {});
  const { leases } = await client.call(LimiterService.method.listLeases, {});
  const { boards } = await client.call(BoardService.method.listBoards, {});
  const isMade = boards.some(({ name }) => name === "delivery");
  const { cards } = isMade ? await client.call(BoardService.method.listCards, { board: "delivery" }) : { cards: [] };
  return [
    ...limiters.map(({ name }) => `limiter ${name}`),
    ...leases.map(({ claims }) => `lease of ${claims.map(({ limiter }) => limiter)}`),
    ...cards.map(({ id }) => `card ${id}`),
  ];
}

const ALL = ["limiter gpu", "limiter sample", "lease of gpu", "card parser"];
const NONE = ["limiter sample"];

test.each([
  ["npm start", ["npm", "start"]],
  ["backpressure serve", SERVE],
])("%s without a file keeps limiters, leases, boards and cards across a restart", async (_name, command) => {
  const { folder, env } = createPlace();
  const first = await serve(command, { env });
  expect(first.data).toBe(join(folder, "backpressure"));
  await leave(first);
  await first.stop();
  const second = await serve(command, { env });
  expect(await found(second)).toEqual(ALL);
  await second.stop();
});

test("the image's command keeps them in its volume", async () => {
  const { folder, env } = createPlace();
  const image = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const words = (instruction: string): readonly string[] =>
    JSON.parse(new RegExp(`^${instruction} (\\[.*\\])$`, "m").exec(image)?.[1] ?? "[]");
  const [, variables = ""] = /^ENV (.*)$/m.exec(image) ?? [];
  // The folders of the image are those of this checkout, and the volume is one of the test's.
  const here = (text: string) =>
    text
      .replace("dist/cli/main.js", SERVE[1])
      .replace("/etc/backpressure/", join(ROOT, "docker/"))
      .replace(/^(VOLUME |BACKPRESSURE_DATA=)\/var\/lib\/backpressure$/, `$1${join(folder, "volume")}`);
  const ofImage = Object.fromEntries(variables.split(" ").map((entry) => here(entry).split("=")));
  const [node = "", ...rest] = [...words("ENTRYPOINT"), ...words("CMD")].map(here);
  expect(node).toBe("node");
  const command = [process.execPath, ...rest];
  expect(image).toMatch(/^VOLUME \/var\/lib\/backpressure$/m);
  const first = await serve(command, { env: { ...env, ...ofImage } });
  expect(first.data).toBe(join(folder, "volume"));
  await leave(first);
  await first.stop();
  const second = await serve(command, { env: { ...env, ...ofImage } });
  expect(await found(second)).toEqual(ALL);
  await second.stop();
});

test("--data and BACKPRESSURE_DATA name another folder, a relative one from where it is started; none is memory", async () => {
  const { folder, env } = createPlace();
  const cwd = join(folder, "there");
  mkdirSync(cwd);
  const first = await serve([...SERVE, "--data", "./mine"], { env, cwd });
  expect(first.data).toBe(join(cwd, "mine"));
  await leave(first);
  await first.stop();
  const inEnvironment = { ...env, BACKPRESSURE_DATA: join(cwd, "mine") };
  const second = await serve(SERVE, { env: inEnvironment });
  expect(second.data).toBe(join(cwd, "mine"));
  expect(await found(second)).toEqual(ALL);
  await second.stop();
  const third = await serve([...SERVE, "--data", "none"], { env: inEnvironment });
  expect(third.data).toBeNull();
  expect(await found(third)).toEqual(NONE);
  await third.stop();
  expect(existsSync(join(folder, "backpressure"))).toBe(false);
});

test("a second server on the default folder says which process has it, where that serves, and what to do", async () => {
  const { folder, env } = createPlace();
  const first = await serve(SERVE, { env: { ...env, BACKPRESSURE_GRPC_LISTEN: "localhost:0" } });
  const { code, said } = await refused(SERVE, { env });
  expect(code).toBe(1);
  expect(said).toContain(`the data folder ${join(folder, "backpressure")} is in use by process ${first.pid} on `);
  expect(said).toContain(", which serves gRPC on localhost:0; stop that server, or choose another folder. ");
  expect(said).toContain("name a folder with --data DIR or BACKPRESSURE_DATA, or keep nothing beyond the server's end");
  const second = await serve([...SERVE, "--data", join(folder, "another")], { env });
  expect(second.data).toBe(join(folder, "another"));
  await second.stop();
  await first.stop();
});

test("with a file, data is kept where the file says; one that says nothing keeps nothing, unless it is said elsewhere", async () => {
  const { folder, env } = createPlace();
  const silent = join(folder, "silent.yaml");
  writeFileSync(silent, "limiters: []\n");
  const telling = join(folder, "telling.yaml");
  writeFileSync(telling, `store: { folder: ${join(folder, "of-file")} }\n`);
  const dataOf = async (args: readonly string[], more: NodeJS.ProcessEnv = {}) => {
    const server = await serve([...SERVE, ...args], { env: { ...env, ...more } });
    await server.stop();
    return server.data;
  };
  expect(await dataOf(["--config", silent])).toBeNull();
  expect(await dataOf(["--config", silent, "--data", join(folder, "chosen")])).toBe(join(folder, "chosen"));
  expect(await dataOf(["--config", telling], { BACKPRESSURE_DATA: "none" })).toBe(join(folder, "of-file"));
  const { code, said } = await refused([...SERVE, "--config", telling, "--data", "none"], { env });
  expect(code).toBe(2);
  expect(said).toBe(
    `${telling}:1:10: store.folder: is "${join(folder, "of-file")}", and --data says none: leave one out\n`,
  );
});

const isRoot = process.getuid?.() === 0;

test.each<[string, (place: Place) => StartOptions, RegExp]>([
  [
    "a file is in its place",
    ({ folder, env }) => {
      writeFileSync(join(folder, "backpressure"), "");
      return { env };
    },
    /the data folder \S+backpressure cannot be used: EEXIST.*it has to be a folder that this user may write to\. It is the default folder: name a folder with --data DIR/,
  ],
  [
    "a newer version has written it",
    ({ folder, env }) => {
      mkdirSync(join(folder, "backpressure"));
      const database = new DatabaseSync(join(folder, "backpressure", "data.db"));
      const checksum = headChecksum({ format: 99, commit: 0, rows: 0, sum: 0 });
      database.exec(`PRAGMA journal_mode = WAL; ${SCHEMA}; INSERT INTO head VALUES (1, 99, 0, 0, 0, ${checksum})`);
      database.close();
      return { env };
    },
    /the data folder \S+backpressure was written by a newer version \(format 99, this one knows \d+\); start that version\. It is the default folder: name a folder/,
  ],
  [
    "it cannot be made",
    ({ env }) => ({ env: { ...env, XDG_STATE_HOME: "/dev/null" } }),
    /the data folder \/dev\/null\/backpressure cannot be used: ENOTDIR.* It is the default folder: name a folder/,
  ],
  [
    "nothing can be made where it is to stand",
    ({ env }) => ({ env: { ...env, XDG_STATE_HOME: "/proc/none" } }),
    /the data folder \/proc\/none\/backpressure cannot be used: ENOENT.* It is the default folder: name a folder/,
  ],
  ...(isRoot
    ? ([
        [
          "the user has a home that it may not write to, as in a container with any user id",
          ({ env }) => ({ env: { ...env, XDG_STATE_HOME: "", HOME: "/" }, uid: 54_321 }),
          /the data folder \/\.local\/state\/backpressure cannot be used: EACCES.* It is the default folder: name a folder/,
        ],
        [
          "the user has no home at all",
          ({ env }) => ({ env: { ...env, XDG_STATE_HOME: "", HOME: "" }, uid: 54_321 }),
          /there is no folder to keep data in by default, since neither XDG_STATE_HOME nor HOME is set: name a folder/,
        ],
      ] satisfies [string, (place: Place) => StartOptions, RegExp][])
    : []),
])("the default folder: where %s, the server does not start, and says what to do", async (_what, arrange, message) => {
  const { code, said } = await refused(SERVE, arrange(createPlace()));
  expect(said).toMatch(message);
  expect(said).toMatch(/^backpressure: [^\n]*\n$/);
  expect(code).toBe(1);
});
