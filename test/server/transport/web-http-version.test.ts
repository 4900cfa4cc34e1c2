/** Calls over a version of HTTP that cannot carry their answers are refused in words, and streams tell nginx not to wait. */

import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRealServer } from "../../client/support/real-server.ts";
import { createHeldService } from "./support/held-service.ts";
import { envelope } from "./support/http2-client.ts";
import { startWeb } from "./support/ports.ts";
import { createWebClient, PROTOCOLS } from "./support/web-client.ts";

const CONFIG = `
limiters: [{ name: db, max_concurrent: 1 }]
boards: [{ name: delivery, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }] }]
`;

/** Every method that answers with a stream, and a request that it takes. */
const STREAMS: readonly (readonly [path: string, request: object])[] = [
  ["ggen.backpressure.v1.AdmissionService/Acquire", { claims: [{ limiter: "db" }] }],
  ["ggen.backpressure.v1.LimiterService/WatchLimiters", {}],
  ["ggen.backpressure.v1.BoardService/WatchBoard", { name: "delivery" }],
  ["ggen.backpressure.v1.BoardService/PullCard", { board: "delivery", stage: "Doing" }],
  ["grpc.health.v1.Health/Watch", {}],
];
const REFLECTION = [
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
const TOO_OLD = "the call came over HTTP/1.0, and its answer takes HTTP/1.1";
const takesHttp2 = (version: string) => `the call came over HTTP/${version}, and its answer takes HTTP/2`;

/** Sends one request and reads until the server closes the connection; a silent wait is cut off after 5 s. */
async function ask(version: "1.0" | "1.1", url: string, path: string, type: string, body: Uint8Array) {
  const { hostname, port, host } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  const head = [
    `POST /${path} HTTP/${version}`,
    `host: ${host}`,
    `content-type: ${type}`,
    `content-length: ${body.byteLength}`,
    "connection: close",
  ];
  socket.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "end", { signal: AbortSignal.timeout(5_000) });
  const text = Buffer.concat(chunks).toString();
  return { status: Number(text.split(" ", 2)[1]), text };
}

const json = (request: object) => Buffer.from(JSON.stringify(request));

/** The one error of an answer of Connect, in the JSON of its last envelope. */
function connectErrorIn(text: string) {
  const [, found = "{}"] = /(\{"error".*\})/s.exec(text) ?? [];
  return JSON.parse(found).error;
}

function grpcMessageIn(text: string): string {
  return decodeURIComponent(/grpc-message: (.*)\r\n/.exec(text)?.[1] ?? "");
}

describe("over HTTP/1.0", () => {
  test.each(STREAMS)("%s is refused in the caller's protocol", async (path, request) => {
    const { url } = await startRealServer(CONFIG);
    const connect = await ask("1.0", url, path, "application/connect+json", envelope(json(request)));
    expect(connect.status).toBe(200);
    expect(connectErrorIn(connect.text)).toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(new RegExp(`^${TOO_OLD};.*proxy_http_version 1\\.1`)),
      details: [
        {
          type: "google.rpc.ErrorInfo",
          debug: { reason: "HTTP_VERSION_TOO_OLD", domain: "ggen.backpressure", metadata: { http_version: "1.0" } },
        },
      ],
    });
    const web = await ask("1.0", url, path, "application/grpc-web+json", envelope(json(request)));
    expect(web.status).toBe(200);
    expect(web.text).toMatch(/grpc-status: 9\r\n/);
    expect(grpcMessageIn(web.text)).toContain(TOO_OLD);
  });

  test("nothing is taken or waited for by a call that is refused", async () => {
    const { url } = await startRealServer(CONFIG);
    const path = "ggen.backpressure.v1.AdmissionService/";
    const [[acquire, request]] = STREAMS as [(typeof STREAMS)[number]];
    for (let i = 0; i < 3; i += 1) await ask("1.0", url, acquire, "application/connect+json", envelope(json(request)));
    const { text } = await ask("1.0", url, `${path}TryAcquire`, "application/json", json(request));
    expect(text).toContain('"granted"');
  });

  test("calls with one answer work: Connect, gRPC-Web", async () => {
    const { url } = await startRealServer("limiters: [{ name: db, max_concurrent: 2 }]");
    const path = "ggen.backpressure.v1.AdmissionService/TryAcquire";
    const request = json({ claims: [{ limiter: "db" }] });
    const connect = await ask("1.0", url, path, "application/json", request);
    expect(connect.text).toMatch(/^HTTP\/1\.1 200 .*"granted"/s);
    const web = await ask("1.0", url, path, "application/grpc-web+json", envelope(request));
    expect(web.text).toMatch(/^HTTP\/1\.1 200 .*"granted".*grpc-status: 0/s);
  });

  test.each(["application/grpc", "application/grpc+proto"])(
    "a call of gRPC, whose trailers would be lost, is answered with a status that gRPC clients read: %s",
    async (type) => {
      const { url } = await startRealServer(CONFIG);
      for (const method of ["TryAcquire", "Acquire"]) {
        const path = `ggen.backpressure.v1.AdmissionService/${method}`;
        const { status, text } = await ask("1.0", url, path, type, envelope(new Uint8Array()));
        expect(status).toBe(505);
        expect(text).toContain(TOO_OLD);
      }
    },
  );
});

describe.each(REFLECTION)("%s, which streams both ways, is refused in words", (path) => {
  const empty = envelope(new Uint8Array());

  test.each(["1.0", "1.1"] as const)("over HTTP/%s: Connect, in JSON and in protobuf", async (version) => {
    const { url } = await startRealServer(CONFIG);
    for (const [type, body] of [
      ["application/connect+json", envelope(json({}))],
      ["application/connect+proto", empty],
    ] as const) {
      const { status, text } = await ask(version, url, path, type, body);
      expect(status).toBe(200);
      expect(connectErrorIn(text)).toMatchObject({
        code: "failed_precondition",
        message: expect.stringContaining(takesHttp2(version)),
      });
    }
  });

  test.each(["1.0", "1.1"] as const)("over HTTP/%s: gRPC-Web, in JSON and in protobuf", async (version) => {
    const { url } = await startRealServer(CONFIG);
    for (const [type, body] of [
      ["application/grpc-web+json", envelope(json({}))],
      ["application/grpc-web+proto", empty],
    ] as const) {
      const { status, text } = await ask(version, url, path, type, body);
      expect(status).toBe(200);
      expect(text).toMatch(/grpc-status: 9\r\n/);
      expect(grpcMessageIn(text)).toContain(takesHttp2(version));
    }
  });

  // Over HTTP/1.0 any call of gRPC is: see above.
  test("over HTTP/1.1: gRPC, in its trailers", async () => {
    const { url } = await startRealServer(CONFIG);
    const { status, text } = await ask("1.1", url, path, "application/grpc", empty);
    expect(status).toBe(200);
    expect(text).toMatch(/\r\n0\r\n.*grpc-status: 9\r\n/s);
    expect(grpcMessageIn(text)).toContain(takesHttp2("1.1"));
  });
});

test.each(["Connect over HTTP/1.1", "Connect over HTTP/2", "gRPC-Web over HTTP/1.1", "gRPC-Web over HTTP/2"])(
  "a streamed answer asks nginx not to hold it back, one that is whole does not: %s",
  async (protocol) => {
    expect(PROTOCOLS).toContain(protocol);
    const held = createHeldService();
    const { address } = await startWeb([held.service]);
    const client = createWebClient(protocol, address);
    const seen: (string | null)[] = [];
    const onHeader = (headers: Headers) => seen.push(headers.get("x-accel-buffering"));
    const call = (async () => {
      for await (const _ of client.acquire({ claims: [{ limiter: "l" }] }, { onHeader }));
    })();
    (await held.acquires.next()).stream.end();
    await call;
    await client.tryAcquire({ claims: [{ limiter: "l" }] }, { onHeader });
    expect(seen).toEqual(["no", null]);
  },
);
