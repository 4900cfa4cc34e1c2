/** Metrics that are sent to a receiver of OTLP say what a scrape says. */

import type { JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { ConfigService } from "../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { hold } from "../support/acquire.ts";
import { decodeOtlp, type ReceivedRequest, startOtlpReceiver } from "../support/otlp/receiver.ts";
import { scrape } from "../support/scrape.ts";
import { startTestServer } from "../support/server.ts";

const LIMITERS = "limiters: [{ name: db, max_concurrent: 2 }]\n";

interface Point {
  readonly asDouble?: number;
  readonly count?: string;
  readonly attributes?: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}

/** By the name of the metric and the values of its attributes. */
function pointsOf({ body }: ReceivedRequest): Map<string, number> {
  const { resourceMetrics } = decodeOtlp("collector.metrics.v1.ExportMetricsServiceRequest", body);
  const scopes = (resourceMetrics as JsonObject[]).flatMap(({ scopeMetrics }) => scopeMetrics as JsonObject[]);
  const metrics = scopes.flatMap((scope) => scope.metrics as JsonObject[]);
  return new Map(
    metrics.flatMap(({ name, gauge, sum, histogram }) => {
      const { dataPoints } = (gauge ?? sum ?? histogram) as unknown as { readonly dataPoints: readonly Point[] };
      return dataPoints.map(({ asDouble, count, attributes = [] }) => {
        const values = attributes.map(({ value }) => value.stringValue);
        return [[name, ...values].join(" "), asDouble ?? Number(count)] as const;
      });
    }),
  );
}

test("a receiver is sent what a scrape shows, at each interval, with the headers that it wants", async () => {
  const receiver = await startOtlpReceiver();
  await using server = await startTestServer(
    `metrics: { otlp: { url: "${receiver.url}", headers: [{ name: x-key, value: secret }] }, export_interval: 1s }\n${LIMITERS}`,
  );
  const client = server.grpc();
  await hold(client, "db");
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  const { length } = receiver.requests;
  await expect.poll(() => receiver.requests.length, { timeout: 10_000 }).toBeGreaterThan(length + 1);
  const sent = receiver.requests.at(-1) as ReceivedRequest;
  expect([sent.path, sent.headers["content-type"], sent.headers["x-key"]]).toEqual([
    "/v1/metrics",
    "application/x-protobuf",
    "secret",
  ]);
  const points = pointsOf(sent);
  const read = await scrape(server.url);
  expect(points.get("backpressure.grants db")).toBe(read.value('backpressure_grants_total{limiter="db"}'));
  expect(points.get("backpressure.limiter_permits_in_use db")).toBe(2);
  expect(points.get("backpressure.wait db")).toBe(2);
  expect(points.get("backpressure.lease_ends db released")).toBe(0);
  const names = new Set([...points.keys()].map((key) => key.split(" ")[0]));
  expect(names.size).toBe(read.families.size);
});

test("the end of the server sends what is measured then", async () => {
  const receiver = await startOtlpReceiver();
  const server = await startTestServer(
    `metrics: { otlp: { url: "${receiver.url}/mine" }, export_interval: 1h }\n${LIMITERS}`,
  );
  await hold(server.grpc(), "db");
  expect(receiver.requests).toHaveLength(0);
  await server.stopNow();
  expect(receiver.requests).toHaveLength(1);
  const [sent] = receiver.requests as [ReceivedRequest];
  expect(sent.path).toBe("/mine");
  expect(pointsOf(sent).get("backpressure.limiter_leases db")).toBe(1);
  await server[Symbol.asyncDispose]();
});

test("a receiver that does not take them is named in the log, and no secret is shown", async () => {
  const receiver = await startOtlpReceiver();
  receiver.status = 503;
  await using server = await startTestServer(
    `metrics: { otlp: { url: "${receiver.url}", headers: [{ name: x-key, value: secret }] }, export_interval: 1s }\n${LIMITERS}`,
  );
  await expect
    .poll(() => server.log.at("warn").map(({ fields }) => fields.event), { timeout: 10_000 })
    .toContain("metrics-not-sent");
  const { config } = await server.grpc().call(ConfigService.method.getConfig, {});
  expect(config?.metrics).toMatchObject({
    otlp: { url: receiver.url, headers: [{ name: "x-key", value: "(withheld)" }] },
    exportInterval: { seconds: 1n },
  });
});
