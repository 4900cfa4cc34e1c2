/** `backpressure diff`: what of a file differs from what runs, and why; each reason is the real server's, and true. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { FREE_PORTS } from "../../support/server.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import { cli } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";

function fileOf(yaml: string): string {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-diff-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "backpressure.yaml");
  writeFileSync(path, yaml);
  return path;
}

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly field: string;
  readonly file: string | null;
  readonly running: string | null;
  readonly why: string;
  readonly explanation: string;
}

/** `yaml`: all but the listeners. */
async function differences({ address }: ServerProcess, yaml: string): Promise<readonly Row[]> {
  const { code, stdout, stderr } = await cli(["--json", "diff", fileOf(`${FREE_PORTS}${yaml}`)], { address });
  expect(stderr).toBe("");
  const rows: readonly Row[] = JSON.parse(stdout).differences;
  expect(code).toBe(rows.length === 0 ? 0 : 1);
  return rows;
}

/** `limiter db: max_concurrent, 3 against 2: not-taken-up`. */
const short = ({ kind, name, field, file, running, why }: Row) =>
  `${kind}${name && ` ${name}`}${field && `: ${field}`}, ${file} against ${running}: ${why}`;

const YAML = `
drain: { timeout: 5s }
limiters:
  - { name: db, max_concurrent: 2 }
  - { name: mail, rate: 10/m, burst_size: 3 }
boards:
  - { name: delivery, stages: [{ name: Todo }, { name: Doing, kind: WORK, wip_limit: 2 }, { name: Done }] }
`;

test("a file that is what runs: nothing is said but that, and the exit code is 0", async () => {
  await using server = await startServerProcess(YAML);
  const path = fileOf(`${FREE_PORTS}${YAML}`);
  const { code, stdout } = await cli(["diff", path], { address: server.address });
  expect(stdout).toMatch(/^\S+ is what \S+ runs \(2 limiters, 1 board\); it reads \/\S+backpressure\.yaml, taken up /);
  expect(code).toBe(0);
  // Neither is the same said otherwise a difference.
  const otherwise = YAML.replace("rate: 10/m", "max_rps: 0.16666666666666666").replace("5s", "5000ms");
  expect(await differences(server, otherwise)).toEqual([]);
});

test("settings: at once by a reload, at the next start, or never while a variable stands for them", async () => {
  await using server = await startServerProcess(YAML, { env: { BACKPRESSURE_LOG_LEVEL: "error" } });
  const changed = `${YAML.replace("5s", "7s")}limits: { max_waiters: 5, max_connections: 7 }
store: { folder: data }
logging: { level: debug }
`;
  expect((await differences(server, changed)).map(short)).toEqual([
    "setting: limits.max_connections, 7 against 10000: needs-restart",
    "setting: store.folder, data against null: needs-restart",
    "setting: store.leases, process against null: needs-restart",
    "setting: store.max_megabytes, 1024 against null: needs-restart",
    "setting: limits.max_waiters, 5 against 100000: not-taken-up",
    "setting: drain.timeout, 7s against 5s: not-taken-up",
    "setting: logging.level, debug against error: set-by-environment",
  ]);
  // A file that leaves the field to its default wants nothing.
  expect(await differences(server, YAML)).toEqual([]);
});

test("after a reload only what needs a restart is left, and the server says so", async () => {
  await using server = await startServerProcess(YAML);
  const changed = `${YAML.replace("5s", "7s")}limits: { max_waiters: 5, max_connections: 7 }\n`;
  server.configure(changed);
  await server.logged(/boards declared/);
  await server.logged(/boards declared/);
  expect((await differences(server, changed)).map(short)).toEqual([
    "setting: limits.max_connections, 7 against 10000: needs-restart",
  ]);
  const inJson = await cli(["--json", "diff", fileOf(FREE_PORTS + changed)], { address: server.address });
  expect(JSON.parse(inJson.stdout).server).toMatchObject({ restartFields: ["limits.max_connections"] });
});

test("limiters: new, changed in the file, changed by RPC, made by RPC, and gone from the file", async () => {
  await using server = await startServerProcess(YAML);
  await using client = connect(server.address);
  await client.limiters.update("db", { maxConcurrent: 7 });
  await client.limiters.create({ name: "scratch", maxConcurrent: 1 });
  expect((await differences(server, YAML)).map(short)).toEqual([
    "limiter db: max_concurrent, 2 against 7: changed-by-rpc",
    "limiter scratch, null against made by RPC: made-by-rpc",
  ]);
  const changed = YAML.replace("max_concurrent: 2", "max_concurrent: 3, max_wait: 90s").replace(
    /- { name: mail.*/,
    "- { name: fresh, max_rps: 5 }",
  );
  expect((await differences(server, changed)).map(short)).toEqual([
    "limiter db: max_concurrent, 3 against 7: not-taken-up",
    "limiter db: max_wait, 1m30s against null: not-taken-up",
    "limiter fresh, declared against null: not-taken-up",
    "limiter mail, null against declared: not-taken-up",
    "limiter scratch, null against made by RPC: made-by-rpc",
  ]);
  server.configure(changed);
  await server.logged(/boards declared/);
  await server.logged(/boards declared/);
  expect((await differences(server, changed)).map(short)).toEqual([
    "limiter scratch, null against made by RPC: made-by-rpc",
  ]);
});

test("keyed: refused while the limiter is in use, as the reload then says, and taken up once it is idle", async () => {
  await using server = await startServerProcess(YAML);
  await using client = connect(server.address);
  const lease = await client.acquire("db");
  const changed = YAML.replace("max_concurrent: 2", "max_concurrent: 3, keyed: true");
  const rows = await differences(server, changed);
  expect(rows.map(short)).toEqual([
    "limiter db: keyed, true against false: refused",
    "limiter db: max_concurrent, 3 against 2: not-taken-up",
  ]);
  expect(rows[0]?.explanation).toContain("leases: 1, waiters: 0");
  server.configure(changed);
  await server.logged(/keyed is not changed while leases/);
  expect((await differences(server, changed)).map(short)).toEqual(["limiter db: keyed, true against false: refused"]);
  await lease.release();
  expect((await differences(server, changed)).map(short)).toContain(
    "limiter db: keyed, true against false: not-taken-up",
  );
  server.signal("SIGHUP");
  await server.logged(/tried again/);
  await server.logged(/boards declared/);
  expect(await differences(server, changed)).toEqual([]);
});

test("boards: a stage in the way of cards is refused as the reload refuses it; renamed_from makes it be taken up", async () => {
  await using server = await startServerProcess(YAML);
  await using client = connect(server.address);
  await client.board("delivery").add({ id: "card-1" });
  const gone = YAML.replace("name: Todo", "name: Ideas");
  const [row, ...others] = await differences(server, gone);
  expect(others).toEqual([]);
  expect(row && short(row)).toBe("board delivery: stages, Ideas, Doing, Done against Todo, Doing, Done: refused");
  expect(row?.explanation).toContain('1 card in stage "Todo"');
  server.configure(gone);
  await server.logged(/cards stand where the file has no place/);
  expect((await differences(server, gone)).map(short)).toEqual([row && short(row)]);

  const renamed = YAML.replace("name: Todo", "name: Ideas, renamed_from: Todo").replace("wip_limit: 2", "wip_limit: 3");
  expect((await differences(server, renamed)).map(short)).toEqual([
    "board delivery: stages, Ideas, Doing, Done against Todo, Doing, Done: not-taken-up",
  ]);
  server.configure(renamed);
  await server.logged(/boards declared/);
  expect(await differences(server, renamed)).toEqual([]);
  await client.boards.update("delivery", { ttl: 7_000 });
  expect((await differences(server, renamed)).map(short)).toEqual([
    "board delivery: ttl, 30s against 7s: changed-by-rpc",
  ]);
  const none = renamed.replace(/boards:[\s\S]*/, "");
  expect((await differences(server, none)).map(short)).toEqual(["board delivery, null against declared: refused"]);
});

test("an empty file would be refused as a whole", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 2 }]");
  const { code, stdout } = await cli(["--json", "diff", fileOf("")], { address: server.address });
  expect(code).toBe(1);
  const rows: readonly Row[] = JSON.parse(stdout).differences;
  expect(rows.find(({ kind }) => kind === "limiter")).toMatchObject({ name: "db", why: "refused" });
});

test("a file that is not valid is named with its problems, and the exit code is 2; without a server it is 3", async () => {
  await using server = await startServerProcess(YAML);
  const path = fileOf("limiters: [{ name: db, ttl: 1x }]");
  const { code, stdout, stderr } = await cli(["diff", path], { address: server.address });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`${path}:1:24: limiters[0].ttl: must be a duration`);
  expect((await cli(["diff", fileOf(YAML)], { address: await closedPort() })).code).toBe(3);
});

test("the table names what differs, with both values, and once what becomes of it", async () => {
  await using server = await startServerProcess(YAML);
  const changed = YAML.replace("max_concurrent: 2", "max_concurrent: 3, max_wait: 90s");
  const { code, stdout } = await cli(["diff", fileOf(FREE_PORTS + changed)], { address: server.address });
  expect(code).toBe(1);
  expect(stdout.split("\n").slice(0, 4)).toEqual([
    "WHAT                        FILE   RUNS  WHY",
    "limiter db: max_concurrent  3      2     not-taken-up",
    "limiter db: max_wait        1m30s  -     not-taken-up",
    "  takes effect by a reload (SIGHUP)",
  ]);
});
