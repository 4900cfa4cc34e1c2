/** A real Prometheus scrapes a real server by ops/prometheus.yml, and fires what ops/alerts.yml has. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { WorkOutcome } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { hold, queue } from "../../support/acquire.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { requirePrometheus } from "../../support/prometheus.ts";
import { startServerProcess } from "../../support/server-process.ts";
import { rulesOf, startWithAlerts, untilFiring } from "../support/prometheus.ts";
import { RULES } from "../support/rules.ts";
import { scratch } from "../support/scratch.ts";
import { startTlsServer } from "../support/tls-server.ts";

const YAML = `
limiters:
  - { name: gpu, max_concurrent: 1 }
  - { name: llm, max_concurrent: 10 }
  - { name: reports, max_concurrent: 1, paused: true }
  - { name: hourly, rate: 1/h, burst_size: 1 }
`;

test("a stuck queue, an overloaded resource, files that are refused and a lost server fire their alerts, and nothing else does", {
  timeout: 120_000,
}, async (context) => {
  requirePrometheus(context);
  await using server = await startServerProcess(YAML);
  // Its certificate is good for half an hour.
  await using withTls = await startTlsServer(scratch({}));
  const prometheus = await startWithAlerts(new URL(server.url).host, withTls.metrics);
  await using client = createGrpcClient(server.address);

  await hold(client, "gpu");
  await queue(client, "gpu");
  // Neighbours of a stuck queue: one that is paused, and one whose token will come.
  await queue(client, "reports");
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "hourly" }] });
  await queue(client, "hourly");
  server.configure("limiters: [{ name: gpu, max_concurrent: minus one }]\n");
  withTls.spoilCertificate();

  const workUnderOverload = async () => {
    const { leaseId, secret } = await hold(client, "llm");
    await client.call(AdmissionService.method.release, { leaseId, secret, outcome: WorkOutcome.OVERLOADED });
  };
  const expected = [
    "BackpressureQueueStuck",
    "BackpressureUpstreamOverloaded",
    "BackpressureReloadFailed",
    "BackpressureTlsRefused",
    "BackpressureCertificateEnds",
  ];
  const firing = await untilFiring(prometheus, expected, workUnderOverload);
  const names = RULES.map((rule) => ("alert" in rule ? rule.alert : rule.record));
  const { names: loaded, errors } = await rulesOf(prometheus);
  expect({ loaded: loaded.toSorted(), errors }).toEqual({ loaded: names.toSorted(), errors: [] });
  // A busy machine may well be late.
  const ours = firing.filter(({ labels }) => labels.alertname !== "BackpressureEventLoopLate");
  expect(ours.map(({ labels }) => [labels.alertname, labels.limiter]).toSorted()).toEqual([
    ["BackpressureCertificateEnds", undefined],
    ["BackpressureQueueStuck", "gpu"],
    ["BackpressureReloadFailed", undefined],
    ["BackpressureTlsRefused", undefined],
    ["BackpressureUpstreamOverloaded", "llm"],
  ]);
  const stuck = firing.find(({ labels }) => labels.limiter === "gpu");
  expect(stuck?.annotations.summary).toMatch(/^gpu is stuck: a request has waited \S+s, and nothing is granted$/);

  server.signal("SIGKILL");
  await server.exited;
  await untilFiring(prometheus, ["BackpressureDown"]);
});
