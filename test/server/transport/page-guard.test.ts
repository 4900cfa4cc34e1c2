/** Which requests of browsers reach a handler, by the headers that a page cannot change. */

import { once } from "node:events";
import { type IncomingMessage, request as send } from "node:http";
import { connect, constants } from "node:http2";
import { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { TLSSocket } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { createSystemClock } from "../../../src/server/clock.ts";
import { TryAcquireResponseSchema } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { WebRequest } from "../../../src/server/transport/web/exchange.ts";
import type { GuardedPage } from "../../../src/server/transport/web/handler.ts";
import { createPageGuard } from "../../../src/server/transport/web/page-guard.ts";
import { createHeldService } from "./support/held-service.ts";
import { createMemoryLog } from "./support/memory-log.ts";
import { startWeb } from "./support/ports.ts";

const POST = "/ggen.backpressure.v1.AdmissionService/TryAcquire";
const GET = "/figures";

type Headers = Readonly<Record<string, string>>;

interface Measures {
  readonly origins?: readonly string[];
  readonly hosts?: readonly string[];
}

/** A port that counts what reaches its handlers. */
async function start({ origins = [], hosts = [] }: Measures = {}) {
  let reached = 0;
  const { service } = createHeldService(() => {
    reached += 1;
    return create(TryAcquireResponseSchema);
  });
  const guardedPage: GuardedPage = {
    isAskedFor: ({ method, url }) => method === "GET" && url === GET,
    answer(_request, response) {
      reached += 1;
      response.end("7");
    },
  };
  const port = await startWeb([service], { cors: { origins }, hosts, guardedPage });
  return {
    ...port,
    reached: () => reached,
    async ask(method: "GET" | "POST", headers: Headers) {
      const request = send({
        host: "127.0.0.1",
        port: port.port,
        method,
        path: method === "GET" ? GET : POST,
        headers,
      });
      request.end(method === "GET" ? undefined : '{"claims":[{"limiter":"db"}]}');
      const [answer] = (await once(request, "response")) as [IncomingMessage];
      return { status: answer.statusCode, text: await text(answer) };
    },
  };
}

const JSON_TYPE = { "content-type": "application/json" };
const EVIL = { origin: "https://evil.example" };
const REBOUND = { host: "evil.example:8080", origin: "http://evil.example:8080" };

describe("a page of others", () => {
  it.each<[string, "GET" | "POST", Headers]>([
    ["of another site", "POST", { ...JSON_TYPE, ...EVIL, "sec-fetch-site": "cross-site" }],
    ["of another site, in a browser that says its origin alone", "POST", { ...JSON_TYPE, ...EVIL }],
    ["that has no origin of its own", "POST", { ...JSON_TYPE, origin: "null" }],
    [
      "of another port of this machine",
      "POST",
      { ...JSON_TYPE, origin: "http://127.0.0.1:1", "sec-fetch-site": "same-site" },
    ],
    [
      "whose browser says another site, and an origin that is this one's",
      "POST",
      {
        ...JSON_TYPE,
        host: "localhost",
        origin: "http://localhost",
        "sec-fetch-site": "cross-site",
      },
    ],
    ["with an image", "GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
    ["with a frame", "GET", { "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate" }],
    ["by a name that was bent", "POST", { ...JSON_TYPE, ...REBOUND }],
    ["by a name that was bent, with a GET", "GET", { host: "evil.example:8080" }],
    ["by a name that only looks like an address", "GET", { host: "127.0.0.1.evil.example" }],
    ["by a name that only looks like this machine", "GET", { host: "localhost.evil.example" }],
    ["by a name that no URL has", "GET", { host: "localhost:1@evil.example" }],
    ["by a bent name, with a token that nobody asks for", "GET", { host: "evil.example", authorization: "Bearer x" }],
  ])("does not reach a handler: %s", async (_what, method, headers) => {
    const guarded = await start();
    const { status, text: words } = await guarded.ask(method, headers);
    expect([status, guarded.reached()]).toEqual([403, 0]);
    expect(words).toMatch(/listeners\.(cors_origins|web_hosts)/);
    expect(guarded.log.lines.filter(({ fields: { event } }) => event === "page-refused")).toHaveLength(1);
    // Control: so it does where the measures are off.
    const open = await start({ origins: ["*"], hosts: ["*"] });
    expect((await open.ask(method, headers)).status).toBe(200);
    expect(open.reached()).toBe(1);
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", undefined])(
    "does not reach a handler with what a form can send: %s",
    async (type) => {
      // Whatever else lets it through.
      const port = await start({ origins: ["*"], hosts: ["*"] });
      const { status } = await port.ask("POST", { ...EVIL, ...(type && { "content-type": type }) });
      expect([status, port.reached()]).toEqual([415, 0]);
    },
  );

  it("does not reach a handler over HTTP/2, where its name is the authority", async () => {
    const port = await start();
    const session = connect(`http://${port.address}`);
    onTestFinished(() => session.close());
    const ask = async (headers: Headers) => {
      const stream = session.request({ ":path": GET, ...headers });
      const [answer] = await once(stream, "response");
      stream.resume();
      return answer[constants.HTTP2_HEADER_STATUS];
    };
    expect(await ask({ ":authority": "evil.example" })).toBe(403);
    expect(await ask({ ":authority": "evil.example", host: "localhost" })).toBe(403);
    expect(await ask({ ":authority": "localhost:8080" })).toBe(200);
    expect(port.reached()).toBe(1);
  });
});

describe("all others reach it", () => {
  it.each<[string, "GET" | "POST", Headers, Measures?]>([
    ["a client by whatever name", "POST", { ...JSON_TYPE, host: "backpressure.prod.svc" }],
    ["a reader by an address", "GET", { host: "10.1.2.3:8080" }],
    ["a reader by an address of IPv6", "GET", { host: "[fd00::1]:8080" }],
    ["a reader on this machine", "GET", { host: "LocalHost.:8080" }],
    ["a reader by a name that is listed", "GET", { host: "bp.example.com:8080" }, { hosts: ["BP.example.com"] }],
    ["a reader by a subdomain of one", "GET", { host: "a.b.example.com" }, { hosts: ["*.example.com"] }],
    ["the own page by an address", "POST", { ...JSON_TYPE, host: "10.1.2.3:8080", origin: "http://10.1.2.3:8080" }],
    [
      "the own page on this machine",
      "POST",
      {
        ...JSON_TYPE,
        host: "localhost:8080",
        origin: "http://localhost:8080",
        "sec-fetch-site": "same-origin",
      },
    ],
    [
      "the own page behind a proxy that ends TLS",
      "POST",
      { ...JSON_TYPE, host: "bp.example.com", origin: "https://bp.example.com", "sec-fetch-site": "same-origin" },
    ],
    [
      "the own page behind one that changes the name, too",
      "POST",
      { ...JSON_TYPE, host: "upstream", origin: "https://bp.example.com", "sec-fetch-site": "same-origin" },
    ],
    ["an address that a person types", "GET", { host: "bp.example.com", "sec-fetch-site": "none" }],
    [
      "a page that may call, by whatever name",
      "POST",
      { ...JSON_TYPE, ...EVIL, host: "bp", "sec-fetch-site": "cross-site" },
      { origins: ["https://evil.example"] },
    ],
  ])("%s", async (_what, method, headers, measures) => {
    const port = await start(measures);
    expect((await port.ask(method, headers)).status).toBe(200);
    expect(port.reached()).toBe(1);
  });
});

test("over TLS the certificate sees to names; a token that a page would have to know passes by any name", () => {
  const log = createMemoryLog();
  const guard = createPageGuard({ allows: () => false, hosts: [], log, clock: createSystemClock() });
  const get = { method: "GET", headers: { host: "evil.example" } } as unknown as WebRequest;
  const plain = new Socket();
  const tls = new TLSSocket(new Socket());
  expect(guard.refusalOf(get, { socket: plain, showsToken: false })?.message).toContain("web_hosts");
  expect(guard.refusalOf(get, { socket: tls, showsToken: false })).toBe(undefined);
  expect(guard.refusalOf(get, { socket: plain, showsToken: true })).toBe(undefined);
});

test("the log says once a minute how many were refused, and why", () => {
  const log = createMemoryLog();
  let now = 0;
  const clock = { ...createSystemClock(), now: () => now };
  const guard = createPageGuard({ allows: () => false, hosts: [], log, clock });
  const get = { method: "GET", headers: { host: "evil.example" } } as unknown as WebRequest;
  const ask = () => guard.refusalOf(get, { socket: new Socket(), showsToken: false });
  for (let count = 0; count < 3; count++) ask();
  now = 60_000_000;
  ask();
  expect(log.lines.map(({ fields: { event, times } }) => [event, times])).toEqual([
    ["page-refused", 1],
    ["page-refused", 3],
  ]);
});
