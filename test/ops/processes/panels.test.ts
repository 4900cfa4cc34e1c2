/** Every panel of the dashboard has something to show, as a real Prometheus answers it. */

import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { hold } from "../../support/acquire.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { requirePrometheus } from "../../support/prometheus.ts";
import { QUERIES, type Query } from "../support/dashboard.ts";
import { startBusyServer, YAML } from "../support/load.ts";
import { startWithAlerts } from "../support/prometheus.ts";
import { scratch } from "../support/scratch.ts";
import { startTlsServer } from "../support/tls-server.ts";

/** ms between looks, and how many there are at most: a few seconds are enough. */
const LOOK = 250;
const LOOKS = 200;

test("every query of the dashboard comes to something", { timeout: 120_000 }, async (context) => {
  requirePrometheus(context);
  await using server = await startBusyServer(scratch({}));
  await using withTls = await startTlsServer(scratch({}));
  const prometheus = await startWithAlerts(new URL(server.url).host, withTls.metrics);
  await using client = createGrpcClient(server.address);
  /** Works until the queries come to something; resolves with those that do not. */
  const empty = async (queries: readonly Query[]) => {
    let left = queries;
    for (let looks = 0; left.length > 0 && looks < LOOKS; looks++) {
      const { leaseId, secret } = await hold(client, "web");
      await client.call(AdmissionService.method.release, { leaseId, secret });
      await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "tenants", key: "acme" }] });
      await pause(LOOK);
      const answers = await Promise.all(left.map(({ expr }) => prometheus.query(expr)));
      left = left.filter((_, index) => answers[index]?.length === 0);
    }
    return left.map(({ from }) => from);
  };
  // Of a server that is well and is not reconfigured these come to nothing.
  const news = ["Alerts", "Configuration taken up"];
  expect(await empty(QUERIES.filter(({ from }) => !news.includes(from)))).toEqual([]);
  server.configure(`${YAML}# another file\n`);
  expect(await empty(QUERIES.filter(({ from }) => from === "Configuration taken up"))).toEqual([]);
});
