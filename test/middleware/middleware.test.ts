/** Requests under leases: admitted, answered where they are not, and ended once with their response, whichever way that ends. */

import { once } from "node:events";
import { Agent, get, request as httpRequest, type IncomingMessage } from "node:http";
import * as http2 from "node:http2";
import { connect as connectSocket } from "node:net";
import { json } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { OverloadedError } from "../../src/client/api/errors.ts";
import { createRateLimiter, type RateLimiter } from "../../src/in-process/index.ts";
import { admission as expressAdmission } from "../../src/middleware/express.ts";
import { connectForTest, startRealServer } from "../client/support/real-server.ts";
import { KINDS, startExpress5, startHttp2 } from "./support.ts";

const LIMITER = { limiter: "db" } as const;

/** A limiter of one permit that has none left, until it is freed. */
async function busyLimiter(options = {}) {
  const limiter = createRateLimiter({ maxConcurrent: 1, ...options });
  const held = await limiter.acquire();
  return { limiter, free: () => held.release() };
}

/** Asks without following what Node's agent would do about connections. */
async function ask(url: string, { method = "GET", agent = false as false | Agent } = {}) {
  const [response] = (await once(httpRequest(url, { method, agent }).end(), "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  const body =
    text === "" || !response.headers["content-type"]?.startsWith("application/problem+json") ? text : JSON.parse(text);
  return { status: response.statusCode, headers: response.headers, body };
}

const untilIdle = (limiter: RateLimiter) => expect.poll(() => limiter.inFlight(), { timeout: 10_000 }).toBe(0);

describe.each(KINDS)("%s", (_, start) => {
  it("admits, hands over the lease, and ends that with the response", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const { url, mistakes } = await start(limiter, LIMITER, async (response, lease) => {
      expect(lease?.valid).toBe(true);
      expect(await limiter.inFlight()).toBe(1);
      response.end("done");
    });
    expect(await ask(url)).toMatchObject({ status: 200, body: "done" });
    await untilIdle(limiter);
    expect(mistakes).toEqual([]);
  });

  it("lets requests on one connection follow one another, each under a lease of its own", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const ids = new Set<string>();
    const { url } = await start(limiter, { ...LIMITER, maxWait: 5000 }, (response, lease) => {
      ids.add(lease?.id ?? "none");
      response.end("done");
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (let i = 0; i < 20; i += 1) expect((await ask(url, { agent })).status).toBe(200);
    expect(ids.size).toBe(20);
    await untilIdle(limiter);
  });

  it("answers 429 with Retry-After and the place in the queue when the wait is over", async () => {
    const { limiter } = await busyLimiter();
    const waiter = new AbortController();
    const first = limiter.acquire({ signal: waiter.signal }).catch(() => {});
    const { url } = await start(limiter, { ...LIMITER, maxWait: 100 }, () => expect.unreachable());
    const { status, headers, body } = await ask(url);
    expect(status).toBe(429);
    expect(headers["retry-after"]).toMatch(/^[1-9]\d*$/);
    expect(headers["backpressure-waiters-ahead"]).toBe("1");
    expect(headers["backpressure-reason"]).toBe("WAIT_TIMEOUT");
    expect(body).toMatchObject({ status: 429, title: "Too Many Requests", reason: "WAIT_TIMEOUT", waitersAhead: 1 });
    waiter.abort();
    await first;
  });

  it("answers 429 at once where nothing may wait, with the time rounded up to whole seconds", async () => {
    const limiter = createRateLimiter({ maxRps: 0.4, burstSize: 1 });
    await limiter.acquire();
    const { url } = await start(limiter, { ...LIMITER, maxWait: 0 }, () => expect.unreachable());
    const { status, headers } = await ask(url);
    expect(status).toBe(429);
    expect(headers["retry-after"]).toBe("3");
    expect(headers["backpressure-reason"]).toBe("RATE_EXHAUSTED");
    const head = await ask(url, { method: "HEAD" });
    expect(head).toMatchObject({ status: 429, body: "" });
    expect(head.headers["retry-after"]).toMatch(/^[123]$/);
  });

  it("answers HEAD, and a body that the handler does not read, and ends their leases", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const { url } = await start(limiter, { ...LIMITER, maxWait: 5000 }, (response) => response.end("done"));
    expect(await ask(url, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    const posted = await fetch(url, { method: "POST", body: "x".repeat(200_000) });
    expect(await posted.text()).toBe("done");
    await untilIdle(limiter);
  });

  it("leaves the queue when the client goes away while it waits", async () => {
    const { limiter, free } = await busyLimiter();
    let handled = 0;
    const { url } = await start(limiter, { ...LIMITER, maxWait: 60_000 }, (response) => {
      handled += 1;
      response.end();
    });
    const asking = get(url, { agent: false }).on("error", () => {});
    await expect.poll(() => limiter.waiters()).toBe(1);
    asking.destroy();
    await expect.poll(() => limiter.waiters()).toBe(0);
    await free();
    await untilIdle(limiter);
    expect(handled).toBe(0);
  });

  it("holds while a response streams, and lets go when its client leaves in the middle", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const { url } = await start(limiter, LIMITER, (response) => {
      response.write("first");
    });
    const asking = get(url, { agent: false }).on("error", () => {});
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    response.on("error", () => {});
    await once(response, "data");
    expect(await limiter.inFlight()).toBe(1);
    asking.destroy();
    await untilIdle(limiter);
  });

  it("lets go when its handler throws, at once or later", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const { url, mistakes } = await start(limiter, { ...LIMITER, maxWait: 5000 }, () => {
      throw new OverloadedError("too much");
    });
    expect((await ask(url)).status).toBe(500);
    expect((await ask(url)).status).toBe(500);
    expect(mistakes).toHaveLength(2);
    await untilIdle(limiter);
  });

  it("tells the developer of what can never be admitted", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1 }]");
    const { url, mistakes } = await start(connectForTest(address), { limiter: "nowhere" }, () => expect.unreachable());
    expect((await ask(url)).status).toBe(500);
    expect(mistakes).toMatchObject([{ reason: "LIMITER_NOT_FOUND" }]);
  });

  it("works with the service, whose leases end as the responses did", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1 }]");
    const client = connectForTest(address);
    const outcomes: (number | "aborted")[] = [];
    const { url } = await start(
      client,
      {
        ...LIMITER,
        maxWait: 5000,
        outcomeOf: (status) => {
          outcomes.push(status);
          return "ignored";
        },
      },
      (response) => {
        response.statusCode = 503;
        response.end();
      },
    );
    await Promise.all([ask(url), ask(url), ask(url)]);
    await expect.poll(() => client.controller("db").inFlight()).toBe(0);
    expect(outcomes).toEqual([503, 503, 503]);
    await using _held = await client.acquire("db");
    expect(await ask(url)).toMatchObject({ status: 429, headers: { "backpressure-waiters-ahead": "0" } });
  }, 60_000);

  it("answers 503 without a server, unless an outage means something else", async () => {
    const client = connectForTest("127.0.0.1:1", { answerWithin: 200 });
    const closed = await start(client, LIMITER, () => expect.unreachable());
    const { status, headers, body } = await ask(closed.url);
    expect(status).toBe(503);
    expect(headers["retry-after"]).toMatch(/^[1-9]\d*$/);
    expect(body).toMatchObject({ reason: "SERVER_UNAVAILABLE" });
    const open = await start(client, { ...LIMITER, onUnavailable: "open" }, (response, lease) =>
      response.end(lease?.admittedBy),
    );
    expect(await ask(open.url)).toMatchObject({ status: 200, body: "open" });
    await client.close();
    expect((await ask(closed.url)).status).toBe(503);
  });

  it("lets what is skipped pass without a lease", async () => {
    const { limiter } = await busyLimiter();
    const { url } = await start(
      limiter,
      { ...LIMITER, maxWait: 0, skip: ({ url: path }) => path === "/health" },
      (response, lease) => response.end(`${lease}`),
    );
    expect((await ask(url)).status).toBe(429);
    expect(await ask(`${url}health`)).toMatchObject({ status: 200, body: "undefined" });
  });

  it("lets go of requests whose connection closes before their turn to be answered comes", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 3 });
    const { port } = await start(limiter, LIMITER, () => {});
    const socket = connectSocket(port, "127.0.0.1").on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3));
    await expect.poll(() => limiter.inFlight()).toBe(3);
    socket.destroy();
    await untilIdle(limiter);
  });
});

describe("plain HTTP/2", () => {
  it("admits, answers refusals, and lets go at the end and at a reset", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const outcomes: (number | "aborted")[] = [];
    let respond = true;
    const { url, mistakes } = await startHttp2(
      limiter,
      {
        ...LIMITER,
        maxWait: 100,
        outcomeOf: (status) => {
          outcomes.push(status);
          return "ignored";
        },
      },
      (response) => {
        if (respond) response.end("done");
        else response.write("first");
      },
    );
    const session = http2.connect(url);
    onTestFinished(() => session.destroy());
    const send = (headers = {}) => session.request({ ":path": "/", ...headers }).on("error", () => {});
    const headersOf = async (stream: http2.ClientHttp2Stream) => (await once(stream, "response"))[0];
    expect(await headersOf(send())).toMatchObject({ ":status": 200 });
    await untilIdle(limiter);
    expect((await headersOf(send({ ":method": "HEAD" })))[":status"]).toBe(200);
    await untilIdle(limiter);
    respond = false;
    const streaming = send();
    expect(await headersOf(streaming)).toMatchObject({ ":status": 200 });
    const refused = send();
    expect(await headersOf(refused)).toMatchObject({
      ":status": 429,
      "retry-after": "1",
      "backpressure-waiters-ahead": "0",
    });
    expect(await json(refused)).toMatchObject({ status: 429 });
    streaming.close(http2.constants.NGHTTP2_CANCEL);
    await untilIdle(limiter);
    expect(outcomes).toEqual([200, 200, "aborted"]);
    expect(mistakes).toEqual([]);
  });
});

describe("a middleware's options", () => {
  it("are refused at once where they can never work", () => {
    const client = connectForTest("127.0.0.1:1");
    expect(() => expressAdmission(client, {} as never)).toThrow(/needs to know the limiter/);
    expect(() => expressAdmission(undefined as never)).toThrow(TypeError);
  });

  it("give key, permits, tokens and holder of each request", async () => {
    const { address } = await startRealServer("limiters: [{ name: tenants, keyed: true, max_concurrent: 5 }]");
    const client = connectForTest(address);
    const { url } = await startExpress5(
      client,
      {
        limiter: "tenants",
        key: ({ url: path }: { readonly url?: string }) => path,
        permits: () => 2,
        holder: () => "web",
      } as never,
      async (response) => {
        for await (const { holder, claims } of client.limiters.leases())
          response.write(JSON.stringify({ holder, claims }, (_, v) => (typeof v === "bigint" ? `${v}` : v)));
        response.end();
      },
    );
    const { body } = await ask(`${url}a`);
    expect(JSON.parse(body)).toMatchObject({ holder: "web", claims: [{ limiter: "tenants", key: "/a", permits: 2 }] });
  });
});
