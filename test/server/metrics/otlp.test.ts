/** What is written for a receiver of OTLP is read by the descriptors that OpenTelemetry publishes. */

import type { JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { boundsInSeconds, Histogram } from "../../../src/server/machine/structures/histogram.ts";
import { FAMILIES, type Family } from "../../../src/server/metrics/families.ts";
import { Labels, NO_LABELS } from "../../../src/server/metrics/labels.ts";
import { POINTS_AT_ONCE, writeOtlp } from "../../../src/server/metrics/otlp.ts";
import { type FamilySamples, samplesOf } from "../../../src/server/metrics/samples.ts";
import { decodeOtlp } from "../../support/otlp/receiver.ts";

const REQUEST = "collector.metrics.v1.ExportMetricsServiceRequest";
const ABOUT = {
  resource: { "service.name": "backpressure" },
  version: "1.2.3",
  since: 1_700_000_000_000,
  now: 1_700_000_060_000.5,
};
const db = new Labels(["limiter"], ["db"]);

interface Metric extends JsonObject {
  readonly name: string;
}

function pieces(families: readonly FamilySamples[]): Buffer[] {
  return [...writeOtlp(families, ABOUT)];
}

function resourcesOf(bytes: readonly Buffer[]): JsonObject[] {
  return (decodeOtlp(REQUEST, Buffer.concat(bytes)).resourceMetrics ?? []) as JsonObject[];
}

function metricsOf(families: readonly FamilySamples[]): Metric[] {
  return resourcesOf(pieces(families)).flatMap(({ scopeMetrics }) =>
    (scopeMetrics as JsonObject[]).flatMap(({ metrics }) => metrics as Metric[]),
  );
}

const TIMES = { startTimeUnixNano: "1700000000000000000", timeUnixNano: "1700000060000500000" };
const ATTRIBUTES = [{ key: "limiter", value: { stringValue: "db" } }];

test("a gauge has its points, with labels as attributes", () => {
  expect(metricsOf([samplesOf("limiterWaiters", [{ labels: db, value: 3 }])])).toEqual([
    {
      name: "backpressure.limiter_waiters",
      description: FAMILIES.limiterWaiters.help,
      gauge: { dataPoints: [{ ...TIMES, asDouble: 3, attributes: ATTRIBUTES }] },
    },
  ]);
});

test("a counter is a sum that only grows, since the start", () => {
  const [metric] = metricsOf([samplesOf("grants", [{ labels: db, value: 2 ** 40 }])]);
  expect(metric).toMatchObject({
    name: "backpressure.grants",
    sum: {
      aggregationTemporality: "AGGREGATION_TEMPORALITY_CUMULATIVE",
      isMonotonic: true,
      dataPoints: [{ ...TIMES, asDouble: 2 ** 40 }],
    },
  });
});

test("a histogram has each bucket by itself, in seconds", () => {
  const histogram = new Histogram(boundsInSeconds(0.001, 1));
  for (const micros of [500, 1_000, 2_000_000]) histogram.record(micros);
  expect(metricsOf([samplesOf("wait", [{ labels: db, value: histogram }])])).toEqual([
    {
      name: "backpressure.wait",
      description: FAMILIES.wait.help,
      unit: "s",
      histogram: {
        aggregationTemporality: "AGGREGATION_TEMPORALITY_CUMULATIVE",
        dataPoints: [
          {
            ...TIMES,
            count: "3",
            sum: 2.0015,
            bucketCounts: ["2", "0", "1"],
            explicitBounds: [0.001, 1],
            attributes: ATTRIBUTES,
          },
        ],
      },
    },
  ]);
});

test("calls have the names of the conventions", () => {
  const labels = new Labels(["rpc_system_name", "rpc_method", "rpc_response_status_code"], ["grpc", "a.v1.B/C", "OK"]);
  const [metric] = metricsOf([samplesOf("rpcDuration", [{ labels, value: new Histogram(boundsInSeconds(1)) }])]);
  expect(metric).toMatchObject({
    name: "rpc.server.call.duration",
    unit: "s",
    histogram: {
      dataPoints: [
        {
          attributes: [
            { key: "rpc.system.name", value: { stringValue: "grpc" } },
            { key: "rpc.method", value: { stringValue: "a.v1.B/C" } },
            { key: "rpc.response.status_code", value: { stringValue: "OK" } },
          ],
        },
      ],
    },
  });
});

test("a receiver that hands them on to Prometheus makes the names of a scrape of them", () => {
  const all: readonly Family[] = Object.values(FAMILIES);
  const value = (family: Family) => (family.type === "histogram" ? new Histogram(boundsInSeconds(1)) : 1);
  const metrics = metricsOf(all.map((family) => ({ family, samples: [{ labels: NO_LABELS, value: value(family) }] })));
  const endings: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };
  const translated = metrics.map(({ name, unit, sum }) => {
    return `${name.replaceAll(".", "_")}${endings[String(unit)] ?? ""}${sum === undefined ? "" : "_total"}`;
  });
  expect(translated).toEqual(all.map(({ name }) => name));
});

test("each piece has a bounded number of points and is whole, and together they are one request", () => {
  const labels = Array.from({ length: 2 * POINTS_AT_ONCE + 10 }, (_, index) => new Labels(["limiter"], [`l${index}`]));
  const families = [
    samplesOf(
      "limiterWaiters",
      labels.map((one) => ({ labels: one, value: 1 })),
    ),
    samplesOf("serving", [{ labels: NO_LABELS, value: 1 }]),
  ];
  const written = pieces(families);
  expect(written).toHaveLength(3);
  const pointsOf = (bytes: readonly Buffer[]) =>
    resourcesOf(bytes).flatMap(({ resource, scopeMetrics }) => {
      expect(resource).toEqual({ attributes: [{ key: "service.name", value: { stringValue: "backpressure" } }] });
      return (scopeMetrics as JsonObject[]).flatMap(({ scope, metrics }) => {
        expect(scope).toEqual({ name: "ggen-backpressure", version: "1.2.3" });
        return (metrics as JsonObject[]).flatMap(({ gauge }) => (gauge as { dataPoints: JsonObject[] }).dataPoints);
      });
    });
  for (const one of written) expect(pointsOf([one]).length).toBeLessThanOrEqual(POINTS_AT_ONCE);
  expect(pointsOf(written)).toHaveLength(labels.length + 1);
});
