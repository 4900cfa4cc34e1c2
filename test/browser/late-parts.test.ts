import { expect, test } from "vitest";
import { useBrowser } from "./support/browser.ts";

/** What the pages have. */
declare const backpressure: import("./support/client-page.ts").ClientPage;

const browser = useBrowser();

const YAML = `
limiters: [{ name: db, max_concurrent: 2 }]
boards: [{ name: release }]
`;

test("a page loads what serves boards and limiters when it first uses them, and not before", async () => {
  const { server, site } = await browser.start(YAML);
  const page = await browser.openClient(site);
  const loaded: string[] = [];
  page.on("request", (request) => {
    if (request.url().startsWith(site.origin)) loaded.push(new URL(request.url()).pathname);
  });
  const isGranted = await page.evaluate(async (url) => {
    const client = backpressure.connect(url);
    const lease = await client.acquire("db");
    const attempt = await client.tryAcquire("db");
    if (attempt.granted) await attempt.release();
    return lease.valid && attempt.granted && (await lease.release()) === "released";
  }, server.url);
  expect(isGranted).toBe(true);
  expect(loaded).toEqual([]);
  const said = await page.evaluate(async (url) => {
    const client = backpressure.connect(url);
    const { maxConcurrent } = await client.limiters.get("db");
    const { id } = await client.board("release").add({ title: "one" });
    return { maxConcurrent, title: (await client.board("release").get(id)).title };
  }, server.url);
  expect(said).toEqual({ maxConcurrent: 2, title: "one" });
  expect(loaded.some((path) => path.startsWith("/open-boards-"))).toBe(true);
  expect(loaded.some((path) => path.startsWith("/limiters-"))).toBe(true);
});

test("a page whose site has lost a file is refused with that, while its leases go on", async () => {
  const { server, site } = await browser.start(YAML);
  const page = await browser.openClient(site);
  await page.route(/open-boards-/, (route) => route.fulfill({ status: 404 }));
  const said = await page.evaluate(async (url) => {
    const client = backpressure.connect(url);
    const lease = await client.acquire("db");
    const error = await client
      .board("release")
      .pull("InProgress")
      .catch((thrown: unknown) => thrown);
    return { error: String(error), isOutage: error instanceof backpressure.ServerUnavailableError, held: lease.valid };
  }, server.url);
  expect(said).toEqual({
    error: expect.stringContaining("the client's part for boards could not be loaded"),
    isOutage: false,
    held: true,
  });
});
