/** A real Prometheus takes what a real server says, and its linter has nothing to say against it. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { acquire, hold } from "../../support/acquire.ts";
import { add, BOARD, work } from "../../support/board.ts";
import { promtool, requirePrometheus, runPrometheus, startPrometheus } from "../../support/prometheus.ts";
import { scrape } from "../../support/scrape.ts";
import { startSecured } from "../../support/secured.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { startServerProcess } from "../../support/server-process.ts";

/** With everything that there are families for. */
async function startBusy(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-metrics-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const server = await startTestServer(
    [
      `store: { folder: ${folder} }`,
      "metrics: { keys: [{ limiter: tenants, key: acme }] }",
      "limiters:",
      "  - { name: db, max_concurrent: 1, max_rps: 100 }",
      "  - { name: tenants, keyed: true, max_concurrent: 1, max_rps: 10 }",
      `boards: [{ name: ${BOARD} }]`,
    ].join("\n"),
  );
  onTestFinished(() => server[Symbol.asyncDispose]());
  const client = server.grpc();
  await hold(client, "db");
  await acquire(client, "db").next("waiting");
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "tenants", key: "acme" }] });
  await add(client, "card-1");
  await work(client, "InProgress");
  return server;
}

test("promtool finds nothing to mend in a scrape", async (context) => {
  requirePrometheus(context);
  const { url } = await startBusy();
  const { text } = await scrape(url);
  expect(await promtool(["check", "metrics"], text)).toEqual({ code: 0, output: "" });
});

test("promtool would notice what is wrong", async (context) => {
  requirePrometheus(context);
  const { url } = await startBusy();
  const { text } = await scrape(url);
  const { code, output } = await promtool(["check", "metrics"], text.replace(/^# HELP backpressure_serving .*\n/m, ""));
  expect([code, output]).toEqual([3, expect.stringContaining("backpressure_serving")]);
});

test("docs/metrics.md lists the families of a scrape, all of them, with their types", async () => {
  const { url } = await startBusy();
  const { families } = await scrape(url);
  const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
  // Those of TLS are in the scrape of a server that speaks it, those of issuers where there are some.
  const rows = page.matchAll(/^\| `((?!backpressure_(?:tls|issuer_keys)_)(?:backpressure|rpc)_\w+)` \| (\w+) \|/gm);
  expect(Object.fromEntries(families)).toEqual(Object.fromEntries(Array.from(rows, ([, name, type]) => [name, type])));
});

test("Prometheus scrapes it, in OpenMetrics as it prefers to", async (context) => {
  requirePrometheus(context);
  const { url } = await startBusy();
  const prometheus = await startPrometheus(new URL(url).host);
  const value = async (expression: string) => (await prometheus.query(expression)).map((one) => one.value);
  await expect.poll(() => value("up"), { timeout: 20_000 }).toEqual([1]);
  expect(await value('backpressure_limiter_waiters{limiter="db"}')).toEqual([1]);
  expect(await value('backpressure_grants_total{limiter="db"}')).toEqual([1]);
  expect(await value('histogram_quantile(0.5, backpressure_wait_seconds_bucket{limiter="db"}) <= 0.001')).toHaveLength(
    1,
  );
  expect(await value('backpressure_limiter_key_permits_in_use{limiter="tenants",key="acme"}')).toEqual([1]);
});

test("a file that is not taken up is counted, and the last reload was none until one is", async () => {
  const limiters = "limiters: [{ name: db, max_concurrent: 1 }]\n";
  await using server = await startServerProcess(limiters);
  const reloads = async () => {
    const read = await scrape(server.url);
    const of = (name: string) => read.value(`backpressure_config_${name}`);
    return [of("reload_failures_total"), of("last_reload_successful")];
  };
  expect(await reloads()).toEqual([0, 1]);
  const { "": loadedAt } = (await scrape(server.url)).of("backpressure_config_last_reload_timestamp_seconds");
  server.configure("wrong: 1\n");
  await server.logged(/not taken up/);
  expect(await reloads()).toEqual([1, 0]);
  server.configure(limiters);
  await server.logged(/in force already/);
  expect(await reloads()).toEqual([1, 1]);
  server.configure(`${limiters}drain: { timeout: 1s }\n`);
  await server.logged(/has changed and is taken up/);
  const { "": reloadedAt } = (await scrape(server.url)).of("backpressure_config_last_reload_timestamp_seconds");
  expect(reloadedAt).toBeGreaterThan(loadedAt ?? 0);
});

test("it scrapes a secured server as docs/operations.md has it, with the authority and a token from files, and no other way", {
  timeout: 120_000,
}, async (context) => {
  requirePrometheus(context);
  await using secured = await startSecured("limiters: [{ name: db, max_concurrent: 7 }]\n");
  const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
  const [, job = ""] = /^```yaml prometheus-secured\n([\s\S]*?)^```/m.exec(page) ?? [];
  const config = job
    .replace("/etc/prometheus/backpressure/ca.crt", secured.file("ca.crt"))
    .replace("/etc/prometheus/backpressure/token", secured.file("worker.token"))
    .replace("backpressure.backpressure.svc:8080", new URL(secured.url).host);
  // The control: the same without the token.
  const nobody = config.replace(/^ +authorization.*\n/m, "").replace(/job_name: backpressure/, "job_name: nobody");
  const jobs = `${config}${nobody.replace("scrape_configs:\n", "")}`;
  const prometheus = await runPrometheus({ "prometheus.yml": `global: { scrape_interval: 1s }\n${jobs}` });
  const upOf = async (name: string) => (await prometheus.query(`up{job="${name}"}`).catch(() => []))[0]?.value;
  await vi.waitFor(async () => expect([await upOf("backpressure"), await upOf("nobody")]).toEqual([1, 0]), {
    timeout: 60_000,
    interval: 250,
  });
  const [limit] = await prometheus.query('backpressure_limiter_permits{limiter="db"}');
  expect(limit?.value).toBe(7);
});
