/** Pages and the ports of a server that speaks TLS. */

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { request as send } from "node:https";
import { text } from "node:stream/consumers";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { type Authority, createAuthority, type Leaf } from "../support/certificates.ts";
import { startTlsServer } from "./support/tls-server.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1000 }]\n";
const PATH = "/ggen.backpressure.v1.AdmissionService/TryAcquire";
const BILLING = "spiffe://example.com/billing";

let servers: Authority;
let clients: Authority;

beforeAll(async () => {
  [servers, clients] = [await createAuthority("servers"), await createAuthority("clients")];
});

async function start() {
  return await startTlsServer(DB, { leaf: await servers.issue(), authority: servers, clientCa: clients.cert });
}

function billing(): Promise<Leaf> {
  return clients.issue({ names: [{ type: "url", value: BILLING }] });
}

test("the gRPC port answers neither what a page may send without being asked, nor whether it may send more", async () => {
  const { server } = await start();
  const { cert, key } = await billing();
  const session = connectHttp2(`https://localhost:${server.grpc.port}`, { ca: servers.cert, cert, key });
  onTestFinished(() => session.close());
  const ask = async (method: string, type: string | undefined) => {
    const stream = session.request({
      ":method": method,
      ":path": PATH,
      te: "trailers",
      origin: "https://evil.example",
      ...(type && { "content-type": type }),
    });
    const [headers] = await once(stream.end(Buffer.alloc(5)), "response");
    stream.resume();
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    return [headers[constants.HTTP2_HEADER_STATUS], headers["grpc-status"]];
  };
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"]) {
    expect([type, ...(await ask("POST", type))]).toEqual([type, 415, undefined]);
  }
  expect((await ask("OPTIONS", undefined))[0]).not.toBe(200);
  // Control: a client of gRPC is answered. What it asks for is none, since it names no limiter.
  expect(await ask("POST", "application/grpc")).toEqual([200, "3"]);
});

test("a browser with a client certificate is known by it, and needs no login", async () => {
  const { server } = await start();
  const { cert, key } = await billing();
  const who = async (own: object) => {
    const headers = { "sec-fetch-site": "same-origin" };
    const at = { host: "localhost", port: server.web.port, path: "/login", ca: servers.cert, headers, agent: false };
    const request = send({ ...at, ...own });
    request.end();
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    const body = await text(answer);
    return answer.statusCode === 200 ? JSON.parse(body) : answer.statusCode;
  };
  expect(await who({ cert, key })).toEqual({ caller: BILLING, kind: "certificate", byLogin: false, asks: true });
  expect(await who({})).toBe(401);
});
