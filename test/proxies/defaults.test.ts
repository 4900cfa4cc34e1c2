/** What goes wrong through each proxy without a line of docs/proxies.md, so that each line is known to matter. */

import { create } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { AdmissionError, ServerUnavailableError } from "../../src/client/index.ts";
import { connectForTest, startRealServer } from "../client/support/real-server.ts";
import { type CallFailure, Code } from "../support/call-failure.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { CADDY, ENVOY_PROXY, HAPROXY, KINDS, NGINX, type ProxyKind } from "./support/kinds.ts";
import { pageConfig, without } from "./support/page.ts";
import { startProxy } from "./support/proxy.ts";
import { connectThrough } from "./support/ways.ts";

async function setup(kind: ProxyKind, config: string) {
  const server = await startRealServer("limiters: [{ name: db, max_concurrent: 1, max_waiters: 5000 }]");
  const proxy = await startProxy(kind, config, { grpc: server.address, web: server.url });
  return { server, proxy, near: connectForTest(server.address) };
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error) => error,
  );
}

beforeEach((context) => {
  for (const kind of KINDS) kind.require(context);
});

describe("nginx", () => {
  /** As Debian's examples have it: HTTP/1.0 to the server, answers collected. */
  const PLAIN =
    "events {}\nhttp {\n  server {\n    listen 10.0.0.4:80;\n    location / { proxy_pass http://10.0.0.5:8080; }\n  }\n}\n";

  test.each(["Connect over HTTP/1.1", "gRPC-Web over HTTP/1.1"] as const)(
    "over HTTP/1.0 says of a stream what to configure, and passes other calls on: %s",
    async (way) => {
      const { proxy } = await setup(NGINX, PLAIN);
      const { client } = connectThrough(way, proxy);
      const failure = await failureOf(client.acquire("db"));
      expect(failure).toBeInstanceOf(AdmissionError);
      expect(failure).toMatchObject({
        reason: "HTTP_VERSION_TOO_OLD",
        retryable: false,
        message: expect.stringContaining("nginx: proxy_http_version 1.1"),
      });
      const attempt = await client.tryAcquire("db");
      expect(attempt.granted).toBe(true);
    },
  );

  test.each(["Connect over HTTP/1.1", "gRPC-Web over HTTP/1.1"] as const)(
    "over HTTP/1.1 holds a stream back where it is configured not to heed the server's X-Accel-Buffering: %s",
    async (way) => {
      const line = "proxy_ignore_headers X-Accel-Buffering;\n      proxy_http_version 1.1";
      const { proxy } = await setup(NGINX, pageConfig(NGINX).replace("proxy_http_version 1.1", line));
      const { client } = connectThrough(way, proxy);
      expect(await failureOf(client.acquire("db"))).toBeInstanceOf(ServerUnavailableError);
    },
  );
});

test("Caddy with flush_interval -1 keeps the stream of a client that has cancelled it", async () => {
  const { proxy, near } = await setup(
    CADDY,
    pageConfig(CADDY).replace("50051\n}", "50051 {\n flush_interval -1\n}\n}"),
  );
  await using far = createGrpcClient(proxy.grpc);
  const call = far.open(AdmissionService.method.acquire, create(AcquireRequestSchema, { claims: [{ limiter: "db" }] }));
  await call.next();
  call.cancel();
  expect(await failureOf(near.acquire("db", { maxWait: 2_000 }))).toMatchObject({ reason: "WAIT_TIMEOUT" });
});

/**
 * Opens 500 streams on one connection, as clients of other languages do, and makes a short call beside them as soon as so many
 * of them wait.
 */
async function shortCallBeside(waiters: number, kind: ProxyKind, config: string): Promise<string> {
  const { proxy, near } = await setup(kind, config);
  await using far = createGrpcClient(proxy.grpc);
  const { acquire, tryAcquire } = AdmissionService.method;
  const claims = [{ limiter: "db" }];
  for (let i = 0; i < 500; i += 1) far.open(acquire, create(AcquireRequestSchema, { claims }));
  while ((await near.limiters.get("db")).status.waiters !== waiters) await later(50);
  const short = far.call(tryAcquire, create(TryAcquireRequestSchema, { claims }), { timeout: 2_000 });
  return await short.then(
    () => "answered",
    ({ code }: CallFailure) => Code[code] ?? "",
  );
}

describe("a short call beside 500 streams of one connection", () => {
  // The first of them holds, the others wait.
  const ALL = 500 - 1;

  test.each([
    [NGINX, /^.*http2_max_concurrent_streams.*\n/m, 128],
    [HAPROXY, /^.*tune\.h2\.max-concurrent-streams.*\n/m, 100],
  ])("$name answers it, and does not by default", async (kind, line, bound) => {
    const config = pageConfig(kind);
    expect(await shortCallBeside(ALL, kind, config)).toBe("answered");
    expect(await shortCallBeside(bound - 1, kind, without(config, line))).toBe("DeadlineExceeded");
  });

  test("Envoy answers it", async () => {
    expect(await shortCallBeside(ALL, ENVOY_PROXY, pageConfig(ENVOY_PROXY))).toBe("answered");
  });

  test("Caddy does not", async () => {
    expect(await shortCallBeside(250 - 1, CADDY, pageConfig(CADDY))).toBe("DeadlineExceeded");
  });
});

/** Has one client wait 1,100 times, and returns how many of that were refused, by reason, and what becomes of a release beside them. */
async function crowd(kind: ProxyKind, config: string, sessions = false): Promise<object> {
  const { proxy, near } = await setup(kind, config);
  const client = connectForTest(proxy.grpc, { sessions, answerWithin: 25_000, retry: { maxAttempts: 3 } });
  const holder = await client.acquire("db");
  const refused: Record<string, number> = {};
  const stop = new AbortController();
  let asked = 0;
  let ended = 0;
  while (asked < 1_100) {
    for (let i = 0; i < 100; i += 1) {
      client.acquire("db", { signal: stop.signal }).catch((error) => {
        ended += 1;
        const why = error instanceof AdmissionError ? error.reason : error.name;
        refused[why] = (refused[why] ?? 0) + 1;
      });
    }
    asked += 100;
    while ((await near.limiters.get("db")).status.waiters + ended < asked) await later(50);
  }
  const found = { ...refused, release: await holder.release() };
  stop.abort();
  return found;
}

describe("1,100 waiters", { timeout: 60_000 }, () => {
  test.each([NGINX, HAPROXY, ENVOY_PROXY])("$name bears them", async (kind) => {
    expect(await crowd(kind, pageConfig(kind))).toEqual({ release: "released" });
  });

  test("Envoy refuses calls beyond 1,024 by default", async () => {
    const config = without(pageConfig(ENVOY_PROXY), /^ *circuit_breakers:.*\n(?: *thresholds:\n.*\n)?/m);
    expect(await crowd(ENVOY_PROXY, config)).toMatchObject({ ServerUnavailableError: 1_100 - 1_023 });
  });

  test.each(KINDS)("$name bears them in a session, which is one stream", async (kind) => {
    expect(await crowd(kind, pageConfig(kind), true)).toEqual({ release: "released" });
  });

  test("Caddy has all of them on one connection to the server, which bears 1,000", async () => {
    expect(await crowd(CADDY, pageConfig(CADDY))).toEqual({ TOO_MANY_STREAMS: 1_100 - 999, release: "released" });
  });
});

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
