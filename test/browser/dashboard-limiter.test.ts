/** The page of one limiter. */

import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { acquire, hold } from "../support/acquire.ts";
import { leasesOf, limiterOf, statusOf, waitersOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";
import { seriousViolations } from "./support/axe.ts";
import { startBusyServer } from "./support/busy-server.ts";
import { useDashboard } from "./support/dashboard.ts";

const dashboard = useDashboard();

async function start(yaml: string) {
  const server = await startTestServer(yaml);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { server, client: server.grpc() };
}

async function startBusy() {
  const busy = await startBusyServer();
  onTestFinished(() => busy[Symbol.asyncDispose]());
  return busy;
}

/** The figures of the page by their names. */
async function figuresOf(page: Page): Promise<Readonly<Record<string, string>>> {
  const pairs = await page
    .locator("dl.figures > div")
    .evaluateAll((all) =>
      all.map(
        (one) => [one.querySelector("dt")?.textContent ?? "", one.querySelector("dd")?.textContent ?? ""] as const,
      ),
    );
  return Object.fromEntries(pairs);
}

test("a stuck limiter says why it stands, who holds it and since when, with the numbers of the RPCs", async () => {
  const { server, client } = await startBusy();
  const page = await dashboard.open(server.url, "#/limiters/gpu-pool");
  await page
    .getByText(/gpu-pool is held back by its holders: 4 of 4 permits are in use, and none is released/)
    .waitFor();
  await page.getByText(/train-7@node-3 has held 1 permit for 1[56]m/).waitFor();
  const status = await statusOf(client, "gpu-pool");
  expect(await figuresOf(page)).toMatchObject({
    "permits in use": `${status.permitsInUse} of ${status.permitsLimit}`,
    waiting: String(status.waiters),
  });
  const leases = await leasesOf(client, "gpu-pool");
  const waiters = await waitersOf(client, "gpu-pool");
  expect(await page.locator("tr[data-lease] th").allTextContents()).toEqual(leases.map(({ holder }) => holder));
  expect(await page.locator("tr[data-waiter] th").allTextContents()).toEqual(waiters.map(({ holder }) => holder));
  await page.locator(".canvas canvas").first().waitFor();
  expect(await seriousViolations(page)).toEqual([]);
});

test("what holds a queue back elsewhere is named, and one click away", async () => {
  const { server } = await startBusy();
  const page = await dashboard.open(server.url, "#/limiters/thumbnails");
  await page.getByText(/The first also claims gpu-pool, where others are ahead of it/).waitFor();
  await page.getByRole("link", { name: "gpu-pool" }).first().click();
  await page.getByRole("heading", { name: "gpu-pool", exact: true }).waitFor();
});

test("a lease that is revoked by force leaves the list, its successor comes, and both were announced", async () => {
  const { server } = await startBusy();
  const page = await dashboard.open(server.url, "#/limiters/gpu-pool");
  const row = page.locator("tr[data-lease]", { hasText: "train-7@node-5" });
  await row.getByRole("button", { name: /^Revoke/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/Asks the holder to stop\. 1 permit of gpu-pool are free at its release/).waitFor();
  await dialog.getByLabel("Do not wait for the holder").check();
  await dialog.getByText(/Frees 1 permit of gpu-pool now, while the holder may still be at work/).waitFor();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("The lease of train-7@node-5 has ended (revoked): 1 permit of gpu-pool are free.").waitFor();
  await row.waitFor({ state: "detached" });
  await page.locator("tr[data-lease]", { hasText: "train-17@node-2" }).waitFor();
});

test("a waiter that is cancelled leaves the queue, and those behind it move up", async () => {
  const { server, client } = await startBusy();
  const page = await dashboard.open(server.url, "#/limiters/gpu-pool");
  const row = page.locator("tr[data-waiter]", { hasText: "train-17@node-2" });
  await row.getByRole("button", { name: /^Cancel/ }).click();
  await page.getByRole("button", { name: "Take it out" }).click();
  await page.getByText("train-17@node-2 is out of the queue of gpu-pool.").waitFor();
  await row.waitFor({ state: "detached" });
  expect((await waitersOf(client, "gpu-pool")).map(({ holder }) => holder)).not.toContain("train-17@node-2");
});

test("a limit that is changed on the page says before what will come of it, and holds from the next grant", async () => {
  const { server, client } = await start("limiters: [{ name: db, max_concurrent: 3 }]");
  const holds = [await hold(client, "db"), await hold(client, "db"), await hold(client, "db")];
  const page = await dashboard.open(server.url, "#/limiters/db");
  await page.getByRole("button", { name: "Change limits" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Nothing is changed yet.").waitFor();
  expect(await dialog.getByRole("button", { name: "Change" }).isDisabled()).toBe(true);
  await dialog.getByLabel("Rate limit").fill("50");
  await dialog.getByText("The rate must be an amount per period").waitFor();
  await dialog.getByLabel("Rate limit").fill("");
  await dialog.getByLabel("Concurrency limit").fill("1");
  await dialog.getByText("3 permits in use stay so, and nothing is granted until 3 have come back.").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText(/db is changed: 1 permits, no rate limit/).waitFor();
  expect((await limiterOf(client, "db")).maxConcurrent).toBe(1);
  const next = acquire(client, "db");
  await next.next("waiting");
  for (const [index, one] of holds.entries()) {
    expect(next.kinds).not.toContain("granted");
    await client.call(AdmissionService.method.release, { leaseId: one.leaseId, secret: one.secret });
    if (index < 2) expect((await statusOf(client, "db")).waiters).toBe(1n);
  }
  await next.next("granted");
});

test("a limiter is paused and resumed", async () => {
  const { server, client } = await start("limiters: [{ name: db, max_concurrent: 3 }]");
  const page = await dashboard.open(server.url, "#/limiters/db");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByText(/Nothing is granted until it is resumed/).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page.getByText("db is paused: it grants nothing until it is resumed.").waitFor();
  expect((await limiterOf(client, "db")).paused).toBe(true);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await page.getByText("db grants again.").waitFor();
  expect((await limiterOf(client, "db")).paused).toBe(false);
});

test("a change that another operator has made in between is not undone: the act fails and says so", async () => {
  const { server, client } = await start("limiters: [{ name: db, max_concurrent: 3 }]");
  const page = await dashboard.open(server.url, "#/limiters/db");
  await page.getByRole("button", { name: "Change limits" }).click();
  await page.getByLabel("Concurrency limit").fill("5");
  await client.call(LimiterService.method.updateLimiter, { limiter: { name: "db", maxConcurrent: 7 } });
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await page
    .getByRole("alert")
    .getByText(/^Not done: .*changed/)
    .waitFor();
  expect((await limiterOf(client, "db")).maxConcurrent).toBe(7);
});
