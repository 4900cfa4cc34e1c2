import { request as requestHttp1 } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "../support/grpc-client.ts";
import { createHeldService } from "../support/held-service.ts";
import { startHolder } from "../support/holder.ts";
import { connectHttp2, envelope, openGrpcCall } from "../support/http2-client.ts";
import { startWeb } from "../support/ports.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { createWebClient, PROTOCOLS } from "../support/web-client.ts";

const CLAIM = { claims: [{ limiter: "l" }] };
const ACQUIRE = pathOf(AdmissionService.method.acquire);
const MESSAGE = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));

test.each(PROTOCOLS)("a stream that its client aborts: %s", async (protocol) => {
  const held = createHeldService();
  const { address } = await startWeb([held.service]);
  const abort = new AbortController();
  const call = (async () => {
    for await (const _ of createWebClient(protocol, address).acquire(CLAIM, { signal: abort.signal }));
  })().catch(() => {});
  const { ended } = await held.acquires.next();
  abort.abort();
  // Over HTTP/1.1 the connection closes, and that is all that can be seen.
  expect(await ended).toBe(protocol.includes("HTTP/1.1") ? "lost" : "cancelled");
  await call;
});

test.each(PROTOCOLS)(
  "a stream whose deadline has passed is cancelled, and its client is answered: %s",
  async (protocol) => {
    const held = createHeldService();
    const { address } = await startWeb([held.service]);
    const call = (async () => {
      for await (const _ of createWebClient(protocol, address).acquire(CLAIM, { timeoutMs: 500 }));
    })().catch((error: unknown) => error);
    const { ended } = await held.acquires.next();
    // The client closes its HTTP/1.1 connection at the same moment, and either may be seen first.
    expect(protocol.includes("HTTP/1.1") ? ["cancelled", "lost"] : ["cancelled"]).toContain(await ended);
    expect(ConnectError.from(await call).code).toBe(Code.DeadlineExceeded);
  },
);

test.each([
  ["HTTP/1.1", "connect-timeout-ms"],
  ["HTTP/2", "grpc-timeout"],
])("a deadline that only the server keeps is a cancel over %s", async (version, header) => {
  const held = createHeldService();
  const { address, port } = await startWeb([held.service]);
  if (version === "HTTP/2") {
    openGrpcCall(connectHttp2(address), ACQUIRE, { [header]: "500m" }).end(MESSAGE);
  } else {
    const headers = { "content-type": "application/connect+proto", [header]: "500" };
    requestHttp1({ port, path: ACQUIRE, method: "POST", headers }).end(MESSAGE);
  }
  expect(await (await held.acquires.next()).ended).toBe("cancelled");
});

test.each([
  ["grpc-timeout", "99999999H"],
  ["connect-timeout-ms", "9999999999"],
])("a %s of %s is far, not past", async (header, value) => {
  const held = createHeldService();
  const { address, port } = await startWeb([held.service]);
  const type = header === "grpc-timeout" ? "application/grpc-web+proto" : "application/connect+proto";
  const headers = { "content-type": type, [header]: value };
  requestHttp1({ port, path: ACQUIRE, method: "POST", headers }).end(MESSAGE);
  const { stream } = await held.acquires.next();
  expect(stream.timeout).toBeGreaterThan(2_000_000 * 1_000_000);
  // Longer than the 1 ms for which Node takes what is longer than it can count.
  for (let i = 0; i < 20; i += 1) await fetch(`http://${address}/`);
  expect(held.endings).toEqual([]);
});

test("the streams of a killed process are lost", async () => {
  const held = createHeldService();
  const { address } = await startWeb([held.service]);
  const holder = await startHolder(address, 20);
  holder.process.kill("SIGKILL");
  for (let i = 0; i < 20; i += 1) expect(await (await held.acquires.next()).ended).toBe("lost");
});

test("the streams of an HTTP/2 connection that has become a black hole are lost", async () => {
  const held = createHeldService();
  const { port } = await startWeb([held.service], {
    liveness: { keepaliveTime: 200_000, keepaliveTimeout: 200_000 },
  });
  const proxy = await startTcpProxy(port);
  openGrpcCall(connectHttp2(proxy.address), ACQUIRE).end(MESSAGE);
  const { ended } = await held.acquires.next();
  proxy.blackHole();
  expect(await ended).toBe("lost");
});
