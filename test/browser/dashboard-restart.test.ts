/** What the dashboard shows while its server is away. */

import { expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import { useDashboard } from "./support/dashboard.ts";

const dashboard = useDashboard();

test("a killed server is found again, and until then nothing that is shown looks live", async () => {
  const server = await startRestartingServer("limiters: [{ name: db, max_concurrent: 2, ttl: 1h, max_ttl: 1h }]");
  onTestFinished(() => server[Symbol.asyncDispose]());
  const take = async () => {
    await using client = createGrpcClient(server.address);
    await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  };
  await take();
  const page = await dashboard.open(server.url);
  const cell = page.locator("tbody tr", { hasText: "db" }).locator("td").nth(1);
  await cell.getByText("1 of 2").waitFor();
  const colour = () => cell.evaluate((element) => getComputedStyle(element).color);
  const faint = () =>
    page
      .locator(".faint")
      .first()
      .evaluate((element) => getComputedStyle(element).color);
  expect(await colour()).not.toBe(await faint());

  await server.crash();
  await page.getByText(/^as of \d\d:\d\d:\d\d\. The server cannot be reached\. Trying again\.$/).waitFor();
  expect(await colour()).toBe(await faint());
  expect(await cell.textContent()).toContain("1 of 2");

  await server.start();
  await page.getByText("live", { exact: true }).waitFor();
  expect(await colour()).not.toBe(await faint());
  await take();
  await cell.getByText("2 of 2").waitFor({ timeout: 1_000 });
});

test("a server that is there and does not answer is as good as gone", async () => {
  const server = await startRestartingServer("limiters: [{ name: db, max_concurrent: 2 }]");
  onTestFinished(() => server[Symbol.asyncDispose]());
  const page = await dashboard.open(server.url);
  await page.getByText("live", { exact: true }).waitFor();
  server.process.signal("SIGSTOP");
  await page.getByText(/^as of /).waitFor();
  server.process.signal("SIGCONT");
  await page.getByText("live", { exact: true }).waitFor();
});

test("the server's page says that it serves, and where its settings come from", async () => {
  const server = await startRestartingServer("limits: { max_waiters: 777 }\nlimiters: []");
  onTestFinished(() => server[Symbol.asyncDispose]());
  const page = await dashboard.open(server.url, "#/server");
  await page.getByRole("heading", { name: "The server serves." }).waitFor();
  await page.getByRole("row", { name: "limits.max_waiters 777 the file" }).waitFor();
});

test("the server's page says what is wrong with a file that was refused, until one is in force", async () => {
  const yaml = "limiters: [{ name: db, max_concurrent: 2 }]";
  const server = await startRestartingServer(yaml);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const page = await dashboard.open(server.url, "#/server");
  await page.getByRole("heading", { name: "The server serves." }).waitFor();
  server.process.configure("limiters: [{ name: db, max_concurrent: two }]");
  await page.getByText(/^The file was refused at .*: what was in force stays so/).waitFor();
  await page
    .getByRole("listitem")
    .filter({ hasText: /limiters\[0\]\.max_concurrent: / })
    .waitFor();
  server.process.configure(yaml);
  await page.getByText(/^The file was refused/).waitFor({ state: "detached" });
});
