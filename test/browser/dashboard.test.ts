/** The dashboard as a whole: where it comes from, what it shows first, and what it says when its server is gone. */

import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { hold } from "../support/acquire.ts";
import { startTestServer } from "../support/server.ts";
import { seriousViolations } from "./support/axe.ts";
import { useDashboard } from "./support/dashboard.ts";

const dashboard = useDashboard();

const TWO = "limiters: [{ name: db, max_concurrent: 2 }, { name: mail, rate: 10/m }]";

async function start(yaml: string) {
  const server = await startTestServer(yaml);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

test("the server's own page says at first glance that all is calm, and names all limiters", async () => {
  const server = await start(TWO);
  const page = await dashboard.open(server.url);
  await page.getByRole("heading", { name: "All is calm. None of 2 limiters needs you." }).waitFor();
  expect(await page.locator("tbody tr").allInnerTexts()).toEqual([
    expect.stringMatching(/Calm\s+db\s+0 of 2\s/),
    expect.stringMatching(/Calm\s+mail\s+rate only\s/),
  ]);
  expect(await page.locator(".liveness").textContent()).toBe("live");
  expect(await seriousViolations(page)).toEqual([]);
});

test("a lease that another client takes is on the page within a second, and off it within a second of its release", async () => {
  const server = await start(TWO);
  const page = await dashboard.open(server.url);
  const cell = page.locator("tbody tr", { hasText: "db" }).locator("td").nth(1);
  await cell.getByText("0 of 2").waitFor();
  const client = server.grpc();
  const { result } = await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  await cell.getByText("1 of 2").waitFor({ timeout: 1_000 });
  const { limiter } = await client.call(LimiterService.method.getLimiter, { name: "db" });
  expect(limiter?.status?.permitsInUse).toBe(1n);
  if (result.case !== "granted") throw new Error("it was not granted");
  const { lease, secret } = result.value;
  await client.call(AdmissionService.method.release, { leaseId: lease?.id ?? "", secret });
  await cell.getByText("0 of 2").waitFor({ timeout: 1_000 });
});

test("what clients call themselves is text on the page, whatever it says", async () => {
  const markup = "<img src=x onerror=document.title='taken'>";
  const server = await start(`limiters: [{ name: db, max_concurrent: 2, description: ${JSON.stringify(markup)} }]`);
  await server.grpc().call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }], holder: markup });
  const page = await dashboard.open(server.url, "#/limiters/db");
  await page.locator("tr[data-lease] th").getByText(markup).waitFor();
  await page.locator("p").getByText(markup, { exact: true }).waitFor();
  expect(await page.title()).toBe("db · backpressure");
  expect(await page.locator("main img").count()).toBe(0);
});

test("the page works below a prefix of a proxy", async () => {
  const server = await start(TWO);
  const proxy = createServer((request, response) => {
    const path = request.url?.replace(/^\/ops\/backpressure/, "") ?? "/";
    const { method, headers } = request;
    request.pipe(
      forward(`${server.url}${path}`, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      }).on("error", () => response.destroy()),
    );
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const page = await dashboard.open(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/ops/backpressure`);
  await page.getByRole("link", { name: "mail" }).click();
  await page.getByRole("heading", { name: "mail" }).waitFor();
  await page.getByText("live", { exact: true }).waitFor();
});

test("the page of the server says what it carries, while it carries it", async () => {
  const server = await start(TWO);
  const page = await dashboard.open(server.url, "#/server");
  const figure = (label: string) => page.locator(".figures div", { hasText: label }).locator("dd");
  await expect.poll(() => figure("connections").textContent()).toMatch(/^\d+$/);
  expect(await figure("threads late").textContent()).toMatch(/^\S+ms \/ \S+$/);
  expect(await figure("heap").textContent()).toMatch(/^\S+ MB$/);
  // Nothing is kept.
  expect(await figure("data folder").textContent()).toBe("–");
  const held = await hold(server.grpc(), "db");
  await page.getByText(/^Streams: .*1 Acquire/).waitFor();
  held.cancel();
  await page.getByText(/1 Acquire/).waitFor({ state: "detached" });
});
