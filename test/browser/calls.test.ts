import { expect, test } from "vitest";
import { useBrowser } from "./support/browser.ts";

/** What the pages have. */
declare const backpressure: import("./support/client-page.ts").ClientPage;

const browser = useBrowser();

/** Several permits, and a ttl that the test does not live to see. */
const DB = "limiters: [{ name: db, max_concurrent: 10, ttl: 1h, max_ttl: 1h }]";
const ONE = "limiters: [{ name: db, max_concurrent: 1, ttl: 1h, max_ttl: 1h }]";

test("a fifth stream is refused with an error that says why, and all other calls go on beside four", async () => {
  const { server, site } = await browser.start(DB);
  const page = await browser.openClient(site);
  const said = await page.evaluate(async (url) => {
    const client = backpressure.connect(url);
    const leases = await Promise.all(Array.from({ length: 4 }, () => client.acquire("db")));
    const fifth = await client.acquire("db").catch((error: unknown) => error);
    const watch = client.limiters.watch()[Symbol.asyncIterator]();
    const fifthWatch = await watch.next().catch((error: unknown) => error);
    const attempt = await client.tryAcquire("db");
    const inUse = (await client.limiters.get("db")).status.permitsInUse;
    const end = await leases[0]?.release();
    const again = await client.acquire("db");
    return {
      isTyped: [fifth, fifthWatch].map((error) => error instanceof backpressure.TooManyStreamsError),
      granted: attempt.granted,
      inUse,
      end,
      again: again.valid,
    };
  }, server.url);
  expect(said).toEqual({ isTyped: [true, true], granted: true, inUse: 5, end: "released", again: true });
});

test("an aborted signal frees its lease at once, though its ttl is long", async () => {
  const { server, site } = await browser.start(ONE);
  const page = await browser.openClient(site);
  const said = await page.evaluate(async (url) => {
    const client = backpressure.connect(url);
    const stop = new AbortController();
    const first = await client.acquire("db", { signal: stop.signal });
    const second = client.acquire("db", { onWaiting: () => stop.abort("enough") });
    return { second: (await second).valid, first: first.valid, reason: first.signal.reason };
  }, server.url);
  expect(said).toEqual({ second: true, first: false, reason: "enough" });
});

test("limiters are made, watched, changed and deleted from a page", async () => {
  const { server, site } = await browser.start(DB);
  const page = await browser.openClient(site);
  const said = await page.evaluate(async (url) => {
    const { limiters } = backpressure.connect(url);
    const watched: string[] = [];
    const isWatching = (async () => {
      for await (const event of limiters.watch()) {
        watched.push(event.kind);
        if (event.kind === "removed") return event.name;
      }
    })();
    await limiters.create({ name: "gpu", maxConcurrent: 4, ttl: 2500 });
    const { maxConcurrent, ttl, description } = await limiters.update("gpu", { description: "pool" });
    const names: string[] = [];
    for await (const { name } of limiters.list()) names.push(name);
    await limiters.delete("gpu");
    return { maxConcurrent, ttl, description, names, removed: await isWatching, first: watched[0] };
  }, server.url);
  expect(said).toEqual({
    maxConcurrent: 4,
    ttl: 2500,
    description: "pool",
    names: ["db", "gpu"],
    removed: "gpu",
    first: "snapshot",
  });
});

test("gRPC-Web works from a page too: answers, streams and why it was refused", async () => {
  const { server, site } = await browser.start(ONE);
  const page = await browser.openClient(site);
  const said = await page.evaluate(async (url) => {
    const transport = backpressure.createGrpcWebTransport({ baseUrl: url });
    const admission = backpressure.createRpcClient(backpressure.AdmissionService, transport);
    const claims = [{ limiter: "db" }];
    const stop = new AbortController();
    const events: (string | undefined)[] = [];
    try {
      for await (const { event } of admission.acquire({ claims }, { signal: stop.signal })) {
        events.push(event.case);
        const { result } = await admission.tryAcquire({ claims });
        events.push(result.case);
        stop.abort();
      }
    } catch {
      events.push("cancelled");
    }
    const refusals = await Promise.all(
      [
        admission.tryAcquire({ claims: [{ limiter: "none" }] }),
        admission
          .acquire({ claims: [{ limiter: "none" }] })
          [Symbol.asyncIterator]()
          .next(),
      ].map((call) => (call as Promise<unknown>).catch((error: unknown) => error)),
    );
    const reasons = refusals.map((error) => {
      const typed = backpressure.toClientError(error, url);
      return typed instanceof backpressure.AdmissionError && typed.reason;
    });
    return { events, reasons };
  }, server.url);
  expect(said).toEqual({
    events: ["granted", "refused", "cancelled"],
    reasons: ["LIMITER_NOT_FOUND", "LIMITER_NOT_FOUND"],
  });
});
