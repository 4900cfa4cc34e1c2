import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { startWeb } from "./support/ports.ts";

const APP = "https://app.example.com";
const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);

async function preflight(
  origins: readonly string[],
  origin: string,
  { headers = [] as readonly string[], asked = "content-type,connect-protocol-version" } = {},
) {
  const { address } = await startWeb([createHeldService().service], { cors: { origins, headers } });
  return await fetch(`http://${address}${TRY_ACQUIRE}`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": asked,
    },
  });
}

async function call(origins: readonly string[], origin: string) {
  const { address } = await startWeb([createHeldService().service], { cors: { origins } });
  return await fetch(`http://${address}${TRY_ACQUIRE}`, {
    method: "POST",
    headers: { origin, "content-type": "application/json" },
    body: JSON.stringify({ claims: [{ limiter: "l" }] }),
  });
}

test.each([
  ["an origin of the list", [APP, "http://localhost:3000"], APP],
  ["an origin that the list has in capitals", ["HTTPS://App.Example.com"], APP],
  ["an origin that the list has with the port of its scheme", ["https://app.example.com:443"], APP],
  ["a subdomain, where the list has all", ["https://*.example.com"], APP],
  ["any origin", ["*"], "*"],
])("a page may call from %s", async (_what, corsOrigins, allowed) => {
  const asked = await preflight(corsOrigins, APP);
  expect(asked.status).toBe(204);
  expect(Object.fromEntries(asked.headers)).toMatchObject({
    "access-control-allow-origin": allowed,
    "access-control-allow-methods": expect.stringContaining("POST"),
    "access-control-allow-headers": expect.stringMatching(/content-type.*connect-protocol-version/i),
    "access-control-max-age": "7200",
  });
  const answered = await call(corsOrigins, APP);
  expect(answered.status).toBe(200);
  expect(answered.headers.get("access-control-allow-origin")).toBe(allowed);
  expect(answered.headers.get("access-control-expose-headers")).toMatch(/grpc-status/i);
});

test.each([
  ["another origin", [APP], "https://evil.example.com"],
  ["the same host by http", [APP], "http://app.example.com"],
  ["an origin that only begins like it", [APP], `${APP}.evil.com`],
  ["no origin at all", [APP], "null"],
])("a page may not call from %s", async (_what, corsOrigins, origin) => {
  const asked = await preflight(corsOrigins, origin);
  expect(asked.status).toBe(403);
  expect(asked.headers.get("access-control-allow-origin")).toBe(null);
  const answered = await call(corsOrigins, origin);
  expect(answered.status).toBe(403);
  expect(answered.headers.get("access-control-allow-origin")).toBe(null);
});

test("answers for listed origins are not shared between origins by a cache", async () => {
  expect((await call([APP], APP)).headers.get("vary")).toMatch(/origin/i);
  expect((await call(["*"], APP)).headers.get("vary")).toBe(null);
});

test("the headers that tracing and login add pass the preflight, others where the configuration names them", async () => {
  const usual = await preflight([APP], APP);
  const names = (answer: Response) => answer.headers.get("access-control-allow-headers")?.split(", ");
  expect(names(usual)).toEqual(expect.arrayContaining(["authorization", "baggage", "traceparent", "tracestate"]));
  expect(names(usual)).not.toContain("x-request-id");
  expect(names(await preflight([APP], APP, { headers: ["X-Request-Id"] }))).toContain("x-request-id");
  const any = await preflight([APP], APP, { headers: ["*"], asked: "x-one, X-Two,,x y" });
  expect(names(any)).toEqual(expect.arrayContaining(["x-one", "x-two", "authorization"]));
  expect(names(any)).not.toContain("x y");
  expect(any.headers.get("vary")).toContain("access-control-request-headers");
});

test("a page may read what says why it was refused and when to try again", async () => {
  const exposed = (await call([APP], APP)).headers.get("access-control-expose-headers")?.toLowerCase().split(", ");
  expect(exposed).toEqual(
    expect.arrayContaining([
      ...["grpc-status", "grpc-message", "grpc-status-details-bin"],
      ...["retry-after", "grpc-retry-pushback-ms", "trailer-grpc-retry-pushback-ms"],
    ]),
  );
});

test("without a list there is nothing of it", async () => {
  const asked = await preflight([], APP);
  expect(asked.status).toBe(403);
  for (const { headers } of [asked, await call([], APP)]) {
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  }
});
