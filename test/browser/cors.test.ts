import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { useBrowser } from "./support/browser.ts";

/** What the pages have. */
declare const backpressure: import("./support/client-page.ts").ClientPage;

const browser = useBrowser();

const DB = "limiters: [{ name: db, max_concurrent: 10 }]";

/** Makes each kind of call, and says what came of it. */
function callAll(page: Page, url: string): Promise<readonly unknown[]> {
  return page.evaluate(async (to) => {
    const client = backpressure.connect(to, { retry: { maxAttempts: 1 } });
    const calls = [
      client.tryAcquire("db").then(({ granted }) => granted),
      client.acquire("db").then(({ granted }) => granted),
      client.limiters.get("db").then(({ name }) => name),
      client.acquire("none"),
    ];
    const settled = await Promise.allSettled(calls);
    return settled.map((call) => (call.status === "fulfilled" ? call.value : (call.reason.reason ?? call.reason.name)));
  }, url);
}

test("a page of an origin that the configuration names may call, and reads the reason of a refusal", async () => {
  const { server, site } = await browser.start(DB);
  const page = await browser.openClient(site);
  expect(await callAll(page, server.url)).toEqual([true, true, "db", "LIMITER_NOT_FOUND"]);
});

test("a page of any other origin is kept from calling by the browser, and the server grants it nothing", async () => {
  const { server } = await browser.start(DB);
  const page = await browser.openClient(await browser.strangeSite());
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  expect(await callAll(page, server.url)).toEqual(Array.from({ length: 4 }, () => "ServerUnavailableError"));
  expect(complaints).toContainEqual(expect.stringContaining("blocked by CORS policy"));
  const { limiter } = await server.grpc().call(LimiterService.method.getLimiter, { name: "db" });
  expect(limiter?.status?.grantedCount).toBe(0n);
});

test.each([
  ["any port of its host", () => ["http://127.0.0.1:*"]],
  ["its host in capitals", (origin: string) => [origin.toUpperCase()]],
  ["others before it", (origin: string) => ["https://*.example.com", origin]],
])("a page may call whose origin is named by %s", async (_what, origins) => {
  const { server, site } = await browser.start(DB, origins);
  const page = await browser.openClient(site);
  expect(await callAll(page, server.url)).toEqual([true, true, "db", "LIMITER_NOT_FOUND"]);
});

test("a subdomain may call where the list names them all, and its parent may not", async () => {
  // Chromium resolves every name below localhost to the loopback.
  const { server, site } = await browser.start(DB, () => ["http://*.localhost:*"]);
  const port = new URL(site.origin).port;
  for (const [host, answers] of [
    ["app.localhost", [true, true, "db", "LIMITER_NOT_FOUND"]],
    ["a.b.localhost", [true, true, "db", "LIMITER_NOT_FOUND"]],
    ["localhost", Array.from({ length: 4 }, () => "ServerUnavailableError")],
  ] as const) {
    const page = await browser.openClient({ ...site, origin: `http://${host}:${port}` });
    expect(await callAll(page, server.url), host).toEqual(answers);
  }
});

test("what tracing and login add to a call passes, and a header that is not named does not", async () => {
  const { server, site } = await browser.start(DB);
  const page = await browser.openClient(site);
  const send = (headers: Record<string, string>) =>
    page.evaluate(
      async ([url, added]) => {
        const answer = await fetch(`${url}/ggen.backpressure.v1.AdmissionService/TryAcquire`, {
          method: "POST",
          headers: { "content-type": "application/json", ...added },
          body: JSON.stringify({ claims: [{ limiter: "db" }] }),
        }).catch(() => ({ status: "blocked" }));
        return answer.status;
      },
      [server.url, headers] as const,
    );
  expect(await send({ traceparent: "00-1", tracestate: "a=b", baggage: "c=d", authorization: "Bearer e" })).toBe(200);
  expect(await send({ "x-request-id": "1" })).toBe("blocked");
});
