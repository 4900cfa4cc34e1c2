/** How much one caller, and one address, may ask of a server: on both ports, in sessions, and over all transport workers in sum. */

import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionRequestSchema } from "../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { createGrpcClient as createRawClient } from "../server/transport/support/grpc-client.ts";
import { createMemoryLog, type MemoryLog } from "../server/transport/support/memory-log.ts";
import { type CallFailure, Code } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { AUDIENCE, createSigningKey, ISSUER, sign, startKeyPort } from "../support/identity-provider.ts";
import { FREE_PORTS } from "../support/server.ts";
import { WORKERS_YAML } from "../support/workers.ts";

const secret = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const TOKENS = { app: `bp_app_${secret(1)}`, other: `bp_other_${secret(2)}` };
const AUTH = {
  tokens: Object.entries(TOKENS).map(([name, token]) => ({ name, sha256: [digestOf(token).toString("hex")] })),
};
type Name = keyof typeof TOKENS;
const bearer = (name: Name) => `Bearer ${TOKENS[name]}`;
const { tryAcquire, release } = AdmissionService.method;
const ASK = { claims: [{ limiter: "db" }], ttl: { seconds: 60n } };

interface Running {
  readonly server: Server;
  readonly log: MemoryLog;
  readonly address: string;
  readonly url: string;
}

/** `bounds` of the caller `token:app`, by its entry; `more`: other fields of the file. */
function configOf(bounds: object | undefined, more: object = {}) {
  const entry = { may: ["acquire", "observe"], limiters: ["*"], boards: ["*"] };
  const fields = {
    limiters: [{ name: "db", max_concurrent: 100_000 }],
    auth: AUTH,
    access: [
      { ...entry, who: ["token:app"], ...(bounds && { bounds }) },
      { ...entry, who: ["*"] },
    ],
    ...more,
  };
  const yaml = Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  const config = parseConfig(`${FREE_PORTS}${WORKERS_YAML}${yaml.join("")}`, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  return config;
}

async function start(bounds: object | undefined, more: object = {}): Promise<Running> {
  const log = createMemoryLog();
  const server = await startServer({ config: configOf(bounds, more), log });
  onTestFinished(() => server.stopNow());
  const { grpc, web } = server;
  return { server, log, address: `${grpc.host}:${grpc.port}`, url: `http://${web.host}:${web.port}` };
}

function clientOf({ address }: Running): ContractClient {
  const client = createGrpcClient(address);
  onTestFinished(() => client[Symbol.asyncDispose]());
  return client;
}

/** Undefined: it was served. */
function askWith(client: ContractClient, authorization: string): Promise<CallFailure | undefined> {
  return client.call(tryAcquire, ASK, { headers: { authorization } }).then(
    () => undefined,
    (failure: CallFailure) => failure,
  );
}

const ask = (client: ContractClient, name: Name) => askWith(client, bearer(name));

/** How many may have been served in so many ms: a second's, and those that have come meanwhile. */
const mostServed = (rate: number, elapsed: number) => rate + Math.ceil((rate * elapsed) / 1000);

describe("max_requests_per_second of a caller", () => {
  const RATE = 20;

  it("holds over many connections in sum, and refuses nobody else", async () => {
    const running = await start({ max_requests_per_second: RATE });
    const began = performance.now();
    const clients = Array.from({ length: 8 }, () => clientOf(running));
    const all = await Promise.all(clients.flatMap((client) => Array.from({ length: 20 }, () => ask(client, "app"))));
    const refused = all.filter((failure) => failure !== undefined);
    const served = all.length - refused.length;
    expect(served).toBeGreaterThanOrEqual(RATE);
    expect(served).toBeLessThanOrEqual(mostServed(RATE, performance.now() - began));
    for (const { code, reason, metadata, retryDelay } of refused) {
      expect([code, reason, metadata]).toEqual([
        Code.ResourceExhausted,
        "CALLER_QUOTA",
        { max_requests_per_second: String(RATE) },
      ]);
      expect(retryDelay).toBeGreaterThan(0);
      expect(retryDelay).toBeLessThanOrEqual(1_000);
    }
    // The control: another caller over the same connections, whom nothing bounds.
    const others = await Promise.all(
      clients.flatMap((client) => Array.from({ length: 20 }, () => ask(client, "other"))),
    );
    expect(others.filter((failure) => failure !== undefined)).toEqual([]);
  });

  it("lets the same request through when the refusal says", async () => {
    const running = await start({ max_requests_per_second: 2 });
    const client = clientOf(running);
    const all = await Promise.all(Array.from({ length: 4 }, () => ask(client, "app")));
    const delay = all.find((failure) => failure !== undefined)?.retryDelay ?? 0;
    expect(delay).toBeLessThanOrEqual(500);
    await new Promise((resolve) => setTimeout(resolve, delay + 1));
    expect(await ask(client, "app")).toBeUndefined();
  });

  it("is refused in each protocol of the web port, before the body is read", async () => {
    const running = await start({ max_requests_per_second: 1 });
    await ask(clientOf(running), "app");
    const outcomes: Record<string, string> = {};
    for (const type of [
      "application/json",
      "application/proto",
      "application/connect+json",
      "application/grpc-web+proto",
    ]) {
      for (let i = 0; i < 2; i++) {
        const answer = await fetch(`${running.url}/ggen.backpressure.v1.AdmissionService/TryAcquire`, {
          method: "POST",
          headers: { "content-type": type, authorization: bearer("app") },
          // Of no protocol: what is served would be refused for another reason.
          body: "nonsense",
        });
        outcomes[type] = `${answer.status} ${answer.headers.get("grpc-status") ?? (await answer.text())}`;
      }
    }
    expect(outcomes["application/json"]).toMatch(/^429 .*"code":"resource_exhausted"/);
    expect(outcomes["application/proto"]).toMatch(/^429 .*"code":"resource_exhausted"/);
    expect(outcomes["application/connect+json"]).toMatch(/^200 .*"code":"resource_exhausted"/s);
    expect(outcomes["application/grpc-web+proto"]).toBe("200 8");
  });

  it("counts each command of a session, whose caller may still give back", async () => {
    const running = await start({ max_requests_per_second: RATE });
    const { call, answers } = await sessionOf(running);
    const began = performance.now();
    const commands = Array.from({ length: 3 * RATE }, (_, i) => {
      return { id: BigInt(i + 1), command: { case: "tryAcquire" as const, value: ASK } };
    });
    call.write(create(SessionRequestSchema, { commands }));
    await vi.waitFor(() => expect(answers()).toHaveLength(3 * RATE), 10_000);
    const leases = answers().flatMap(({ answer }) => (answer.case === "granted" ? [answer.value.lease?.id ?? ""] : []));
    const refused = answers().flatMap(({ answer }) => (answer.case === "failed" ? [answer.value] : []));
    expect(leases.length).toBeLessThanOrEqual(mostServed(RATE, performance.now() - began));
    expect(leases.length + refused.length).toBe(3 * RATE);
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set([Code.ResourceExhausted]));
    const releases = leases.slice(0, RATE / 2).map((leaseId, i) => {
      return { id: BigInt(1000 + i), command: { case: "release" as const, value: { leaseId } } };
    });
    call.write(create(SessionRequestSchema, { commands: releases }));
    await vi.waitFor(() => expect(answers()).toHaveLength(3 * RATE + releases.length), 10_000);
    expect(
      answers()
        .slice(3 * RATE)
        .map(({ answer }) => answer.case),
    ).toEqual(releases.map(() => "released"));
  });

  it("lets a lease be given back by a caller that asks too often", async () => {
    const running = await start({ max_requests_per_second: 5 });
    const client = clientOf(running);
    const headers = { authorization: bearer("app") };
    const { result } = await client.call(tryAcquire, ASK, { headers });
    if (result.case !== "granted") throw new Error("no lease");
    const { lease, secret: own } = result.value;
    // At one instant, so that no second passes between them.
    const asked = Array.from({ length: 20 }, () => ask(client, "app"));
    const given = await client.call(release, { leaseId: lease?.id ?? "", secret: own }, { headers });
    expect(given.alreadyEnded).toBe(false);
    expect(await Promise.all(asked)).toContainEqual(expect.objectContaining({ reason: "CALLER_QUOTA" }));
  });

  it("is that of the file for callers whose entry says none, and is taken up by a reload", async () => {
    const running = await start({ max_requests_per_second: 1_000 }, { bounds: { max_requests_per_second: 1 } });
    const client = clientOf(running);
    const outcome = async (name: Name) => (await Promise.all([1, 2, 3].map(() => ask(client, name)))).some(Boolean);
    expect([await outcome("app"), await outcome("other")]).toEqual([false, true]);
    running.server.reconfigure(configOf({ max_requests_per_second: 1 }));
    await vi.waitFor(async () => expect([await outcome("app"), await outcome("other")]).toEqual([true, false]), 5_000);
    running.server.reconfigure(configOf(undefined));
    await vi.waitFor(async () => expect([await outcome("app"), await outcome("other")]).toEqual([false, false]), 5_000);
  });

  it("does not count health", async () => {
    const running = await start(undefined, { bounds: { max_requests_per_second: 1 }, allow_anonymous: true });
    const client = createRawClient(running.address);
    const asked = Array.from({ length: 50 }, () => client.call("/grpc.health.v1.Health/Check", Buffer.alloc(0)));
    expect((await Promise.all(asked)).every((answer) => answer.length > 0)).toBe(true);
  });
});

async function sessionOf({ address }: Running) {
  const { client } = createRawClient(address);
  const { SessionService } = await import("../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts");
  const { toBinary, fromBinary } = await import("@bufbuild/protobuf");
  const { session } = SessionService.method;
  const metadata = new Metadata();
  metadata.set("authorization", bearer("app"));
  const call = client.makeBidiStreamRequest(
    `/${session.parent.typeName}/${session.name}`,
    (request: Parameters<typeof toBinary<typeof session.input>>[1]) => Buffer.from(toBinary(session.input, request)),
    (bytes) => fromBinary(session.output, bytes),
    metadata,
  );
  const responses: ReturnType<typeof fromBinary<typeof session.output>>[] = [];
  call.on("data", (response) => responses.push(response));
  call.on("error", () => {});
  onTestFinished(() => call.cancel());
  call.write(create(SessionRequestSchema, { open: {} }));
  await vi.waitFor(() => expect(responses.some(({ opened }) => opened)).toBe(true), 10_000);
  return { call, answers: () => responses.flatMap((response) => response.answers) };
}

describe("max_connections of a caller", () => {
  it("holds over both ports and many connections, and one that closes makes room", async () => {
    const running = await start({ max_connections: 4 });
    const clients = Array.from({ length: 10 }, () => clientOf(running));
    const outcomes = await Promise.all(clients.map((client) => ask(client, "app")));
    const refused = outcomes.filter((failure) => failure !== undefined);
    // Two that take the last place at the same instant may both be refused.
    expect(outcomes.length - refused.length).toBeLessThanOrEqual(4);
    expect(refused[0]).toMatchObject({ code: Code.ResourceExhausted, reason: "CALLER_QUOTA" });
    expect(refused[0]?.metadata).toEqual({ max_connections: "4" });
    for (const client of clients) await ask(client, "app");
    const open = clients.filter((_, i) => outcomes[i] === undefined);
    for (const client of open) expect(await ask(client, "app")).toBeUndefined();
    const overWeb = () =>
      fetch(`${running.url}/ggen.backpressure.v1.AdmissionService/TryAcquire`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: bearer("app"), connection: "close" },
        body: '{"claims":[{"limiter":"db"}]}',
      }).then(({ status }) => status);
    expect(await overWeb()).toBe(429);
    // Another caller has its own, on a connection that is refused to this one.
    const crowded = clients[outcomes.findIndex((failure) => failure !== undefined)] as ContractClient;
    expect(await ask(crowded, "other")).toBeUndefined();
    await open[0]?.[Symbol.asyncDispose]();
    await vi.waitFor(async () => expect(await overWeb()).toBe(200), 5_000);
  });

  it("comes by a reload, counts what is open, and leaves it alone", async () => {
    const running = await start(undefined);
    const clients = Array.from({ length: 3 }, () => clientOf(running));
    for (const client of clients) expect(await ask(client, "app")).toBeUndefined();
    running.server.reconfigure(configOf({ max_connections: 2 }));
    await vi.waitFor(
      async () => expect(await ask(clientOf(running), "app")).toMatchObject({ reason: "CALLER_QUOTA" }),
      5_000,
    );
    for (const client of clients) expect(await ask(client, "app")).toBeUndefined();
  });
});

describe("limits.max_connections_per_address", () => {
  async function open(port: number): Promise<Socket> {
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    return socket;
  }
  /** So many are still open once the server has seen all of them. */
  async function openOf(sockets: readonly Socket[], most: number): Promise<number> {
    const closed = () => sockets.filter((socket) => socket.closed).length;
    for (const socket of sockets) socket.resume();
    await vi.waitFor(() => expect(sockets.length - closed()).toBeLessThanOrEqual(most), 5_000);
    return sockets.length - closed();
  }

  it("holds over both ports, is logged, and changes with the file", async () => {
    const running = await start(undefined, { limits: { max_connections_per_address: 4 } });
    const { grpc, web } = running.server;
    const sockets: Socket[] = [];
    for (const port of [grpc.port, web.port, grpc.port, web.port, grpc.port, web.port]) sockets.push(await open(port));
    expect(await openOf(sockets, 4)).toBe(4);
    await vi.waitFor(() => {
      const told = running.log.lines.filter(({ fields }) => fields.event === "address-connections-dropped");
      expect(told[0]?.fields).toMatchObject({ address: "127.0.0.1", dropped: 1 });
    }, 5_000);
    for (const socket of sockets) socket.destroy();
    running.server.reconfigure(configOf(undefined));
    await vi.waitFor(async () => {
      const more = await Promise.all(Array.from({ length: 12 }, () => open(grpc.port)));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(more.some((socket) => socket.closed)).toBe(false);
    }, 5_000);
  });
});

describe("wrong credentials of one address", () => {
  it("are 20 over all connections and workers in sum", async () => {
    const key = await createSigningKey();
    const { url } = await startKeyPort([key.jwk]);
    const jwt = [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { url } }];
    const running = await start(undefined, { auth: { ...AUTH, jwt } });
    // Each on a connection of its own, so that all workers have some.
    const askOnce = (token: string) => askWith(clientOf(running), `Bearer ${token}`);
    const signed = await Promise.all(Array.from({ length: 12 }, (_, i) => sign(key, { sub: `job-${i}` })));
    const began = performance.now();
    const refused = await Promise.all(Array.from({ length: 24 }, (_, i) => askOnce(`bp_app_${secret(i + 50)}`)));
    expect(refused.map((failure) => failure?.code)).toEqual(refused.map(() => Code.Unauthenticated));
    const answers = await Promise.all(signed.map(askOnce));
    // One more is looked at each second.
    const served = answers.filter((failure) => failure === undefined).length;
    expect(served).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 1_000));
    // What is known by its digest is not held up by that.
    expect(await askOnce(TOKENS.app)).toBeUndefined();
    const told = () => running.log.lines.filter(({ fields }) => fields.event === "credential-refused");
    await vi.waitFor(() => expect(told()).toHaveLength(1), 5_000);
    // The control: a signed token that counts, as soon as it is looked at.
    const last = await sign(key, { sub: "last" });
    await vi.waitFor(async () => expect(await askOnce(last)).toBeUndefined(), 20_000);
    expect(told()).toHaveLength(1);
  });
});
