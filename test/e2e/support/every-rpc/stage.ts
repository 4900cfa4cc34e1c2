/** A server that asks who calls, with the things of one tenant in it: held, waited for and worked on. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import {
  create,
  type DescMethodUnary,
  fromJson,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { parseConfig } from "../../../../src/server/config/config.ts";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/server/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { startServer } from "../../../../src/server/server.ts";
import type { Things } from "../../../server/service/access/support/samples.ts";
import { createMemoryLog } from "../../../server/transport/support/memory-log.ts";
import { createAuthority } from "../../../support/certificates.ts";
import { FREE_PORTS } from "../../../support/server.ts";
import { createTlsFolder } from "../../../support/tls-folder.ts";
import { type Credential, type Credentials, createCredentials } from "./credentials.ts";
import { type Line, openLine } from "./line.ts";
import { requestOf, WAYS, type Way } from "./ways.ts";

export interface Stage extends AsyncDisposable {
  readonly credentials: Credentials;
  readonly things: Things;
  /** `https://host:port`, or plain. */
  readonly url: string;
  /** A connection as this way of calling has it, with the credential's certificate. */
  line(way: Pick<Way, "port" | "version">, credential: Credential): Promise<Line>;
  /** How many calls a service has seen, and how many were refused before one had. */
  readonly calls: { readonly seen: number; readonly refused: number };
  /** All that there is, as an operator sees it, but for what time changes. */
  everything(): Promise<string>;
  /** What was written of all calls so far: the log, the audit file and the page of metrics. */
  written(): Promise<Readonly<Record<"log" | "audit" | "metrics", string>>>;
}

export interface StageOptions {
  readonly tls: boolean;
  readonly workers: number;
  /** More of the configuration. */
  readonly more?: object;
}

const JSON_BY_HTTP2 = WAYS.find(
  ({ protocol, codec, version }) => protocol === "connect" && codec === "json" && version === "2",
) as Way;
const NAME = "red-db";

export async function startStage({ tls, workers, more = {} }: StageOptions): Promise<Stage> {
  await using cleanup = new AsyncDisposableStack();
  const folder = createTlsFolder((remove) => cleanup.defer(remove));
  const keysFile = folder.write("keys.json", "");
  const credentials = await createCredentials(keysFile);
  folder.write("keys.json", credentials.keys);
  const authority = await createAuthority("servers");
  const leaf = await authority.issue();
  const files = tls && {
    tls: {
      cert_file: folder.write("tls.crt", leaf.cert),
      key_file: folder.write("tls.key", leaf.key),
      client_ca_file: folder.write("clients.crt", credentials.clientCa),
    },
  };
  const auditFile = join(folder.path, "audit.jsonl");
  const fields = { workers, audit: { file: auditFile }, ...credentials.config, ...files, ...more };
  const yaml = Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  const config = parseConfig(`${FREE_PORTS}${yaml.join("")}`, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  const log = createMemoryLog();
  const server = await startServer({ config, log });
  cleanup.defer(() => server.stopNow());

  const openTo = async (way: Pick<Way, "port" | "version">, certificate: Credential["certificate"]) => {
    const secure = tls ? { ca: authority.cert, client: certificate } : undefined;
    return openLine({ port: server[way.port].port, version: way.version, tls: secure });
  };
  const own = cleanup.use(await openTo(JSON_BY_HTTP2, undefined));

  async function call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M["input"]>,
    token: string,
  ): Promise<MessageShape<M["output"]>> {
    const { headers, ...rest } = requestOf(JSON_BY_HTTP2, method, create(method.input, request));
    const { status, body } = await own.ask({ ...rest, headers: { ...headers, authorization: `Bearer ${token}` } });
    if (status !== 200) throw new Error(`${method.name}: ${body}`);
    return fromJson<M["output"]>(method.output, JSON.parse(String(body)));
  }

  async function furnish(): Promise<Things> {
    const claims = [{ limiter: NAME }];
    const token = credentials.owner;
    await call(LimiterService.method.createLimiter, { limiter: { name: NAME, maxConcurrent: 1 } }, token);
    const requestId = "red-0123456789abcdef";
    const { result } = await call(
      AdmissionService.method.tryAcquire,
      { claims, requestId, ttl: { seconds: 600n } },
      token,
    );
    if (result.case !== "granted") throw new Error("no lease");
    const { headers, ...rest } = requestOf(
      JSON_BY_HTTP2,
      AdmissionService.method.acquire,
      create(AdmissionService.method.acquire.input, { claims }),
    );
    await own.ask({ ...rest, headers: { ...headers, authorization: `Bearer ${token}` } }, ({ length }) => length > 0);
    const stages = [{ name: "todo" }, { name: "doing" }, { name: "done" }];
    await call(BoardService.method.createBoard, { board: { name: NAME, stages } }, token);
    await call(BoardService.method.addCard, { board: NAME, card: { id: "red-card" } }, token);
    const pull = { board: NAME, stage: "doing", worker: "red", ttl: { seconds: 600n } };
    const pulled = await call(BoardService.method.tryPullCard, pull, token);
    if (pulled.result.case !== "pulled") throw new Error("no card");
    const { waiters } = await call(LimiterService.method.listWaiters, { limiter: NAME }, token);
    return {
      name: NAME,
      card: "red-card",
      fencingToken: pulled.result.value.card?.lease?.fencingToken ?? 0n,
      lease: { leaseId: result.value.lease?.id ?? "", secret: result.value.secret },
      waiterId: waiters[0]?.id ?? "none-left",
      requestId,
    };
  }

  const things = await furnish();
  const all = cleanup.move();
  return {
    credentials,
    things,
    url: `${tls ? "https" : "http"}://localhost:${server.web.port}`,
    line: (way, { certificate }) => openTo(way, certificate),
    get calls() {
      const lines = log.lines.filter(({ fields }) => !String(fields.method).startsWith("grpc.health."));
      const count = (event: string) => lines.filter(({ fields }) => fields.event === event).length;
      return { seen: count("call"), refused: count("call-refused") };
    },
    async everything() {
      const token = credentials.operator;
      const { limiters } = await call(LimiterService.method.listLimiters, {}, token);
      const { leases } = await call(LimiterService.method.listLeases, {}, token);
      const { boards } = await call(BoardService.method.listBoards, {}, token);
      const cards = await Promise.all(
        boards.map(({ name }) => call(BoardService.method.listCards, { board: name }, token)),
      );
      const there = [
        limiters.map(({ name, etag }) => [name, etag]),
        leases.map(({ id, state }) => [id, state]),
        boards.map(({ name, etag }) => [name, etag]),
        cards.map((list) => toJson(BoardService.method.listCards.output, list)),
      ];
      return JSON.stringify(there, (name, value) => (/age|time/i.test(name) ? null : value));
    },
    async written() {
      const headers = { authorization: `Bearer ${credentials.operator}` };
      const metrics = await own.ask({ method: "GET", path: "/metrics", headers, body: undefined });
      return {
        log: inspect(log.lines, { depth: 12, maxStringLength: Infinity, maxArrayLength: Infinity }),
        audit: readFileSync(auditFile, "utf8"),
        metrics: String(metrics.body),
      };
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
