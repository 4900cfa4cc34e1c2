/**
 * Every field of the configuration takes effect: at the start, and by a reload or, where the reload says that it needs one, at the
 * next start. The fields are those of config.proto's descriptor, so one without a row here fails.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DescField, type DescMessage, type JsonObject, toJson } from "@bufbuild/protobuf";
import { describe, expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { parseConfig } from "../../../src/server/config/config.ts";
import { SETTING_FIELDS } from "../../../src/server/config/settings.ts";
import { ConfigSchema } from "../../../src/server/gen/ggen/backpressure/config/v1/config_pb.ts";
import { ConfigService } from "../../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { BoardSchema } from "../../../src/server/gen/ggen/backpressure/v1/board_pb.ts";
import { LimiterSchema } from "../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { type Server, startServer } from "../../../src/server/server.ts";
import { BOARD_OUTPUT_FIELDS } from "../../../src/server/wire/board-wire.ts";
import { OUTPUT_FIELDS } from "../../../src/server/wire/limiter-update.ts";
import { createMemoryLog, type MemoryLog } from "../../server/transport/support/memory-log.ts";
import { hold } from "../../support/acquire.ts";
import { add, BOARD as BOARD_NAME } from "../../support/board.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import {
  allowsPage,
  beats,
  closesSecondConnection,
  givesUpSilentConnection,
  hasSeries,
  isSoonFull,
  knowsHost,
  type Probed,
  pings,
  refusesAnonymous,
  refusesCallsAtOnce,
  refusesLargeHeaders,
  refusesLargeMessages,
  refusesSecondBoard,
  refusesSecondCommand,
  refusesSecondConnection,
  refusesSecondLease,
  refusesSecondLimiter,
  refusesSecondStream,
  refusesSecondWaiter,
} from "../support/probes.ts";

type Yaml = { [field: string]: unknown };

interface Running extends Probed {
  readonly server: Server;
  readonly log: MemoryLog;
  /** Stops it and starts another one with the same configuration. */
  restart(): Promise<Running>;
}

function loaded(yaml: Yaml) {
  const reading = parseConfig(JSON.stringify(yaml), { path: undefined, overrides: [] });
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading;
}

async function start(yaml: Yaml): Promise<Running> {
  const log = createMemoryLog();
  const server = await startServer({ config: loaded(yaml), log });
  onTestFinished(() => server.stopNow());
  return {
    server,
    log,
    address: `${server.grpc.host}:${server.grpc.port}`,
    url: `http://${server.web.host}:${server.web.port}`,
    async restart() {
      await server.stopNow();
      return start(yaml);
    },
  };
}

interface SettingRow {
  /** Other than the default. */
  readonly value: unknown;
  /** What else the probe needs, by path. */
  readonly with?: Yaml;
  /** Fields that have a value with it alone. */
  readonly brings?: readonly string[];
  /** Whether the value is in force. With the default it must answer false. */
  readonly probe: (running: Running) => Promise<boolean> | boolean;
}

const ORIGIN = "https://app.example.com";
const [GRPC, WEB, METRICS, RECEIVER] = [await freePort(), await freePort(), await freePort(), await freePort()];
const OTLP = { url: `http://127.0.0.1:${RECEIVER}` };
const folder = mkdtempSync(join(tmpdir(), "backpressure-fields-"));
const auditFolder = mkdtempSync(join(tmpdir(), "backpressure-audit-"));
const folderOf = (name: string) => join(folder, name);

const SETTINGS: Readonly<Record<string, SettingRow>> = {
  "listeners.grpc": { value: `127.0.0.1:${GRPC}`, probe: ({ server }) => server.grpc.port === GRPC },
  "listeners.web": { value: `127.0.0.1:${WEB}`, probe: ({ server }) => server.web.port === WEB },
  "listeners.cors_origins": { value: [ORIGIN], probe: (running) => allowsPage(running, ORIGIN, "authorization") },
  "listeners.cors_headers": {
    value: ["x-mine"],
    with: { "listeners.cors_origins": [ORIGIN] },
    probe: (running) => allowsPage(running, ORIGIN, "x-mine"),
  },
  "listeners.web_hosts": { value: ["bp.example.com"], probe: (running) => knowsHost(running, "bp.example.com") },
  "limits.max_message_bytes": { value: 1_024, probe: refusesLargeMessages },
  "limits.max_metadata_bytes": { value: 1_024, probe: refusesLargeHeaders },
  "limits.max_streams_per_connection": { value: 1, probe: refusesSecondStream },
  "limits.max_connections": { value: 1, probe: closesSecondConnection },
  "limits.max_connections_per_address": { value: 1, probe: closesSecondConnection },
  "limits.max_waiters": { value: 1, probe: (running) => refusesSecondWaiter(running) },
  "limits.max_limiters": { value: 1, probe: refusesSecondLimiter },
  "limits.max_boards": { value: 1, probe: refusesSecondBoard },
  "limits.max_commands_per_session": { value: 1, probe: refusesSecondCommand },
  "bounds.max_waiters": { value: 1, probe: (running) => refusesSecondWaiter(running, "CALLER_QUOTA") },
  "bounds.max_leases": { value: 1, probe: refusesSecondLease },
  "bounds.max_connections": { value: 1, probe: refusesSecondConnection },
  "bounds.max_requests_per_second": { value: 1, probe: refusesCallsAtOnce },
  "audit.file": {
    value: join(auditFolder, "audit.jsonl"),
    async probe({ address }) {
      await using client = createGrpcClient(address);
      await client.call(LimiterService.method.createLimiter, { limiter: { name: "made", maxConcurrent: 1 } });
      const path = join(auditFolder, "audit.jsonl");
      return existsSync(path) && readFileSync(path, "utf8").includes('"of":"limiter/made"');
    },
  },
  "liveness.keepalive_time": { value: "100ms", probe: pings },
  "liveness.keepalive_timeout": {
    value: "100ms",
    with: { "liveness.keepalive_time": "100ms" },
    probe: givesUpSilentConnection,
  },
  "liveness.heartbeat": { value: "100ms", probe: beats },
  "drain.timeout": {
    value: "200ms",
    async probe({ server, address }) {
      await using client = createGrpcClient(address);
      await hold(client, "db");
      return await Promise.race([server.stop().then(() => true), sleep(2_000, false)]);
    },
  },
  "metrics.max_limiters": { value: 1, probe: (running) => hasSeries(running, 'limiter="_other"') },
  "metrics.keys": {
    value: [{ limiter: "tenants", key: "acme" }],
    with: { limiters: [{ name: "tenants", keyed: true, max_concurrent: 1 }] },
    probe: (running) => hasSeries(running, 'limiter="tenants",key="acme"'),
  },
  "metrics.listen": {
    value: `127.0.0.1:${METRICS}`,
    async probe({ server, url }) {
      const isElsewhere = server.metrics?.port === METRICS;
      expect((await fetch(`${url}/metrics`)).status).toBe(isElsewhere ? 404 : 200);
      if (isElsewhere) expect((await fetch(`http://127.0.0.1:${METRICS}/metrics`)).status).toBe(200);
      return isElsewhere;
    },
  },
  "metrics.otlp": { value: OTLP, probe: async (running) => (await sentBy(running)).includes("/v1/metrics") },
  "traces.otlp": { value: OTLP, probe: async (running) => (await sentBy(running, SAMPLED)).includes("/v1/traces") },
  "traces.ratio": {
    value: 1,
    with: { "traces.otlp": OTLP },
    probe: async (running) => (await sentBy(running)).includes("/v1/traces"),
  },
  workers: { value: 1, probe: ({ server }) => server.workers === 1 },
  "store.folder": {
    value: folderOf("folder"),
    brings: ["store.leases", "store.max_megabytes"],
    probe: () => existsSync(folderOf("folder")),
  },
  "store.leases": {
    value: "none",
    with: { "store.folder": folderOf("leases") },
    async probe(running) {
      await using client = createGrpcClient(running.address);
      await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
      const { log } = await running.restart();
      return log
        .at("warn")
        .some(({ message }) => message.startsWith("some leases from before the restart may be unknown"));
    },
  },
  "store.max_megabytes": { value: 1, with: { "store.folder": folderOf("megabytes") }, probe: isSoonFull },
};

const SAMPLED = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };

/** What a receiver at `OTLP` is sent, by path, of a call with these headers and of the server's end. */
async function sentBy({ server, address }: Running, headers: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const paths: string[] = [];
  const receiver = createHttpServer((request, response) => {
    paths.push(request.url ?? "");
    request.resume().once("end", () => response.end());
  });
  await new Promise<void>((resolve) => receiver.listen(RECEIVER, "127.0.0.1", resolve));
  {
    await using client = createGrpcClient(address);
    await client.call(LimiterService.method.listLimiters, {}, { headers });
  }
  await server.stopNow();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  return paths;
}

/** Files that belong together: `test/e2e/tls.test.ts` and `test/server/tls` hold them to taking effect. */
const OF_TLS = ["tls.cert_file", "tls.key_file", "tls.client_ca_file", "tls.client_crl_file"];

/** Lists of entries: `test/e2e/authentication.test.ts`, `credential-end.test.ts` and `test/server/auth` hold them to taking effect. */
const OF_AUTH = [
  ...["name", "sha256", "expires", "groups", "tenant"].map((field) => `auth.tokens[].${field}`),
  ...["name", "issuer", "audience", "caller", "tenant", "groups"].map((field) => `auth.jwt[].${field}`),
  ...["url", "ca_file", "bearer_file", "file"].map((field) => `auth.jwt[].jwks.${field}`),
  "allow_anonymous",
];

test("who may call is taken up by a reload", async () => {
  const asked = { ...BASE, auth: { tokens: [{ name: "ci", sha256: ["0".repeat(64)] }] } };
  const { server, address } = await start(BASE);
  const isServed = async () => {
    await using client = createGrpcClient(address);
    return await client.call(LimiterService.method.listLimiters, {}).then(
      () => true,
      () => false,
    );
  };
  expect(await isServed()).toBe(true);
  server.reconfigure(loaded(asked));
  expect(await isServed()).toBe(false);
  server.reconfigure(loaded({ ...asked, allow_anonymous: true }));
  expect(await isServed()).toBe(true);
});

test("which files TLS has waits for a restart", async () => {
  const running = await start(BASE);
  const tls = Object.fromEntries(OF_TLS.map((path) => [path, "/some/where.pem"]));
  running.server.reconfigure(loaded(withFields(tls)));
  expect(running.log.at("warn").flatMap(({ fields }) => fields.fields ?? [])).toEqual(OF_TLS);
});

/** By the log that the process makes of it: see the test of its own. */
const IN_A_PROCESS = ["logging.level"];

/** By how often a receiver is sent something: see `test/e2e/metrics-export.test.ts`. */
const IN_TIME = ["metrics.export_interval"];

const BASE: Yaml = {
  workers: 0,
  listeners: { grpc: "127.0.0.1:0", web: "127.0.0.1:0" },
  limiters: [
    { name: "db", max_concurrent: 1 },
    { name: "other", max_concurrent: 1 },
  ],
};

/** The base with fields set, by `section.field`. */
function withFields(fields: Yaml): Yaml {
  const yaml = structuredClone(BASE);
  for (const [path, value] of Object.entries(fields)) {
    const [section = "", field] = path.split(".");
    yaml[section] = field === undefined ? value : { ...(yaml[section] as Yaml | undefined), [field]: value };
  }
  return yaml;
}

describe.each(Object.entries(SETTINGS))("%s", (field, row) => {
  const { value, probe } = row;
  const ordinary = withFields(row.with ?? {});
  const changed = withFields({ ...row.with, [field]: value });

  test("takes effect at the start", async () => {
    // A folder that is kept must not be that of another test.
    expect(await probe(await start(ordinary))).toBe(false);
    clean();
    expect(await probe(await start(changed))).toBe(true);
    clean();
  });

  test("takes effect by a reload, or the reload says that it needs a restart", async () => {
    const running = await start(ordinary);
    running.server.reconfigure(loaded(changed));
    const named = running.log.at("warn").flatMap(({ fields }) => fields.fields ?? []);
    const { live } = SETTING_FIELDS.get(field) ?? { live: undefined };
    const waiting = live ? [] : [field, ...(row.brings ?? [])];
    expect(named).toEqual(waiting);
    await using client = createGrpcClient(running.address);
    expect((await client.call(ConfigService.method.getConfig, {})).restartFields).toEqual(waiting);
    await client[Symbol.asyncDispose]();
    expect(await probe(running)).toBe(live);
    clean();
  });
});

/** What lets everybody do all. */
const ENTRY = { who: ["anonymous"], may: ["acquire", "observe", "operate"], limiters: ["*"], boards: ["*"] };

/** What of the entry is another: with it the probe answers true. */
const ACCESS: Readonly<Record<string, { readonly value: unknown; readonly probe: SettingRow["probe"] }>> = {
  who: { value: ["token:ci"], probe: (running) => refusesAnonymous(running, "acquire") },
  may: { value: ["observe"], probe: (running) => refusesAnonymous(running, "acquire") },
  limiters: { value: ["other"], probe: (running) => refusesAnonymous(running, "acquire") },
  keys: { value: ["some"], probe: (running) => refusesAnonymous(running, "acquire") },
  boards: { value: ["other"], probe: (running) => refusesAnonymous(running, "observe a board") },
  "bounds.max_waiters": { value: 1, probe: (running) => refusesSecondWaiter(running, "CALLER_QUOTA") },
  "bounds.max_leases": { value: 1, probe: refusesSecondLease },
  "bounds.max_connections": { value: 1, probe: refusesSecondConnection },
  "bounds.max_requests_per_second": { value: 1, probe: refusesCallsAtOnce },
};

describe.each(Object.entries(ACCESS))("access[].%s", (path, { value, probe }) => {
  const [field = "", below] = path.split(".");
  const withEntry = (entry: object) => ({ ...BASE, access: [entry] });
  const changed = withEntry({ ...ENTRY, [field]: below === undefined ? value : { [below]: value } });

  test("takes effect at the start, and by a reload", async () => {
    expect(await probe(await start(withEntry(ENTRY)))).toBe(false);
    expect(await probe(await start(changed))).toBe(true);
    const running = await start(withEntry(ENTRY));
    running.server.reconfigure(loaded(changed));
    expect(await probe(running)).toBe(true);
  });
});

function clean(): void {
  rmSync(join(auditFolder, "audit.jsonl"), { force: true });
  rmSync(folder, { recursive: true, force: true });
}

interface DeclaredRow {
  readonly value: unknown;
  /** What else has to be said for it to be valid. */
  readonly with?: Yaml;
  /** As it is shown, where that is not the value. */
  readonly shown?: unknown;
}

const SUBJECT = { name: "subject", max_concurrent: 3 };

/** What the server shows of a limiter is what the machine decides by. */
const LIMITER: Readonly<Record<string, DeclaredRow>> = {
  name: { value: "another" },
  description: { value: "for people" },
  max_rps: { value: 7 },
  rate: { value: "10/m", shown: { tokens: 10, per: "60s" } },
  burst_size: { value: 9, with: { max_rps: 5 } },
  max_concurrent: { value: 4 },
  keyed: { value: true },
  max_keys: { value: 5, with: { keyed: true } },
  max_waiters: { value: 6 },
  max_wait: { value: "7s" },
  refuse_long_waits: { value: true },
  ttl: { value: "8s" },
  max_ttl: { value: "9m", shown: "540s" },
  trust_cancel: { value: false },
  paused: { value: true },
};

const BOARD: Readonly<Record<string, DeclaredRow>> = {
  name: { value: "another" },
  description: { value: "for people" },
  max_attempts: { value: 6 },
  ttl: { value: "8s" },
  max_cards: { value: 7 },
  keep_completed: { value: 8 },
  keep_completed_for: { value: "1d", shown: "86400s" },
  max_pullers: { value: 9 },
};

/** Of the third stage of five. */
const STAGE: Readonly<Record<string, DeclaredRow>> = {
  name: { value: "Another" },
  kind: { value: "queue", shown: "STAGE_KIND_QUEUE" },
  wip_limit: { value: 4 },
  auto_pull: { value: false, with: { kind: "queue" } },
  limiter: { value: "db" },
};

/** Input alone: see the test of its own. */
const OF_A_CHANGE = ["boards[].stages[].renamed_from"];

async function shownLimiter({ address }: Probed, name: string): Promise<JsonObject> {
  await using client = createGrpcClient(address);
  const { limiters } = await client.call(LimiterService.method.listLimiters, {});
  const limiter = limiters.find((each) => each.name === name);
  return limiter === undefined ? {} : (toJson(LimiterSchema, limiter, { useProtoFieldName: true }) as JsonObject);
}

async function shownBoard({ address }: Probed, name: string): Promise<JsonObject> {
  await using client = createGrpcClient(address);
  const { boards } = await client.call(BoardService.method.listBoards, {});
  const board = boards.find((each) => each.name === name);
  return board === undefined ? {} : (toJson(BoardSchema, board, { useProtoFieldName: true }) as JsonObject);
}

async function shownStage(running: Probed): Promise<JsonObject> {
  const { stages } = await shownBoard(running, "subject");
  return (stages as JsonObject[])[2] as JsonObject;
}

const stagesWith = (third: Yaml) => [
  { name: "A" },
  { name: "B" },
  { name: "C", ...third },
  { name: "D" },
  { name: "E" },
];

interface Declared {
  readonly field: string;
  readonly row: DeclaredRow;
  readonly yaml: (fields: Yaml) => Yaml;
  readonly shown: (running: Probed) => Promise<JsonObject>;
}

const nameIn = ({ field, value }: { readonly field: string; readonly value: unknown }) =>
  field === "name" ? String(value) : "subject";

const DECLARED: readonly (readonly [string, Declared])[] = [
  ...Object.entries(LIMITER).map(([field, row]) => {
    const yaml = (fields: Yaml) => ({ ...BASE, limiters: [{ ...SUBJECT, ...fields }] });
    const shown = (running: Probed) => shownLimiter(running, nameIn({ field, ...row }));
    return [`limiters[].${field}`, { field, row, yaml, shown }] as const;
  }),
  ...Object.entries(BOARD).map(([field, row]) => {
    const yaml = (fields: Yaml) => ({ ...BASE, boards: [{ name: "subject", ...fields }] });
    const shown = (running: Probed) => shownBoard(running, nameIn({ field, ...row }));
    return [`boards[].${field}`, { field, row, yaml, shown }] as const;
  }),
  ...Object.entries(STAGE).map(([field, row]) => {
    const yaml = (fields: Yaml) => ({ ...BASE, boards: [{ name: "subject", stages: stagesWith(fields) }] });
    return [`boards[].stages[].${field}`, { field, row, yaml, shown: shownStage }] as const;
  }),
];

describe.each(DECLARED)("%s", (_path, { field, row, yaml, shown }) => {
  const { value } = row;
  const expected = "shown" in row ? row.shown : value;
  const ordinary = yaml(row.with ?? {});
  const changed = yaml({ ...row.with, [field]: value });

  test("takes effect at the start", async () => {
    expect((await shown(await start(ordinary)))[field]).not.toEqual(expected);
    expect((await shown(await start(changed)))[field]).toEqual(expected);
  });

  test("takes effect by a reload", async () => {
    const running = await start(ordinary);
    running.server.reconfigure(loaded(changed));
    await expect.poll(async () => (await shown(running))[field]).toEqual(expected);
    expect(running.log.at("error")).toEqual([]);
  });
});

test("boards[].stages[].renamed_from: the stage's cards are in it under its new name", async () => {
  const stages = (first: Yaml) => ({
    ...BASE,
    boards: [{ name: BOARD_NAME, stages: [first, { name: "Doing" }, { name: "Done" }] }],
  });
  const running = await start(stages({ name: "Todo" }));
  await using client = createGrpcClient(running.address);
  await add(client, "card-1");
  running.server.reconfigure(loaded(stages({ name: "Ideas", renamed_from: "Todo" })));
  const first = async () => ((await shownBoard(running, BOARD_NAME)).stages as JsonObject[])[0];
  await expect.poll(first).toMatchObject({ name: "Ideas", status: { cards: 1 } });
  expect(running.log.at("error")).toEqual([]);
});

test("logging.level: takes effect at the start, and by a reload", async () => {
  const { startServerProcess } = await import("../../support/server-process.ts");
  const call = async ({ address }: { readonly address: string }) => {
    await using client = createGrpcClient(address);
    await client.call(LimiterService.method.listLimiters, {});
  };
  const limiters = "limiters: [{ name: db, max_concurrent: 1 }]\n";
  await using quiet = await startServerProcess(`${limiters}logging: { level: error }\n`);
  quiet.configure("wrong: 1\n");
  // The first line of all.
  expect((await quiet.logged(/./)).level).toBe(50);
  await using ordinary = await startServerProcess(limiters);
  expect((await ordinary.logged(/./)).level).toBe(30);
  await call(ordinary);
  ordinary.configure(`${limiters}logging: { level: debug }\n`);
  await ordinary.logged(/boards declared/);
  await ordinary.logged(/boards declared/);
  await call(ordinary);
  expect(await ordinary.logged(/^a call$/)).toMatchObject({
    level: 20,
    method: "ggen.backpressure.v1.LimiterService/ListLimiters",
  });
});

test("every field of the configuration has its row", () => {
  const ofAccess = Object.keys(ACCESS).map((path) => `access[].${path}`);
  const rows = [
    ...Object.keys(SETTINGS),
    ...ofAccess,
    ...IN_A_PROCESS,
    ...OF_TLS,
    ...OF_AUTH,
    ...IN_TIME,
    ...DECLARED.map(([path]) => path),
    ...OF_A_CHANGE,
  ];
  expect(rows.sort()).toEqual(leavesOf(ConfigSchema).sort());
});

/** `limits.max_waiters`, `limiters[].ttl`: all that a file may say, but for fields that are for output. */
function leavesOf(desc: DescMessage, path = ""): string[] {
  return desc.fields.filter(isSet).flatMap((field) => {
    const here = `${path}${field.name}`;
    if (field.message === undefined || LEAVES.has(field.message.typeName)) return [here];
    return leavesOf(field.message, `${here}${field.fieldKind === "list" ? "[]" : ""}.`);
  });
}

const LEAVES = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "ggen.backpressure.v1.Rate",
  "ggen.backpressure.config.v1.MetricsKey",
  "ggen.backpressure.config.v1.OtlpTarget",
]);

function isSet(field: DescField): boolean {
  return !OUTPUT_FIELDS.has(field) && !BOARD_OUTPUT_FIELDS.has(field);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
