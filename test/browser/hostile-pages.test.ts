/**
 * Pages of others against the web port, in a real Chromium: each attack by itself, and as a control the same attack on a server that does
 * not look at what browsers say of their pages, on which it succeeds.
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { buildForSources } from "../../tools/build-dashboard.ts";
import { launchChromium } from "../support/chromium.ts";
import { scrape } from "../support/scrape.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { startRelay } from "./support/relay.ts";

const CREATE = "/ggen.backpressure.v1.LimiterService/CreateLimiter";
/** As a form sends it that has one field: `NAME=VALUE`. */
const [NAME, VALUE] = ['{"limiter":{"name":"stolen","maxConcurrent":1,"description":"', '"}}'];
const BODY = `${NAME}=${VALUE}`;

let browser: Browser;
let site: { readonly port: number; close(): void };

beforeAll(async () => {
  [browser, site] = await Promise.all([
    launchChromium({ namesOfThisMachine: ["evil.test", "rebound.test"] }),
    serveSite(),
    buildForSources(),
  ]);
});
afterAll(async () => {
  site?.close();
  await browser?.close();
});

/** A site of somebody else, whose page is empty until a test acts in it. */
async function serveSite() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>evil</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

async function start(): Promise<TestServer> {
  const server = await startTestServer("limiters: [{ name: db, max_concurrent: 10 }]");
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function open(url: string): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

async function isStolen(server: TestServer): Promise<boolean> {
  const { limiters } = await server.grpc().call(LimiterService.method.listLimiters, {});
  return limiters.some(({ name }) => name === "stolen");
}

/** Where the hostile page is, and by which name it calls the server that listens on `port`. */
type Stand = (port: number) => { readonly page: string; readonly target: string };

const ELSEWHERE: Stand = (port) => ({ page: `http://evil.test:${site.port}/`, target: `http://127.0.0.1:${port}` });
const OTHER_PORT: Stand = (port) => ({ page: `http://localhost:${site.port}/`, target: `http://localhost:${port}` });
/** Its name led to its own server when it was loaded, and leads to this one now. */
const REBOUND: Stand = (port) => ({ page: `http://rebound.test:${port}/evil`, target: `http://rebound.test:${port}` });

/** What the page does; it says nothing of what came of it, since it mostly does not know. */
type Attack = (page: Page, target: string) => Promise<unknown>;

function submit(page: Page, action: string, name: string, value: string): Promise<void> {
  return page.evaluate(
    ([to, field, text]) => {
      const form = Object.assign(document.createElement("form"), { action: to, method: "post", enctype: "text/plain" });
      form.append(Object.assign(document.createElement("input"), { name: field, value: text }));
      document.body.append(form);
      form.submit();
    },
    [action, name, value] as const,
  );
}

const POSTS: Readonly<Record<string, Attack>> = {
  "a form": (page, target) => submit(page, target + CREATE, NAME, VALUE),
  "fetch without CORS": (page, target) =>
    page.evaluate(
      ([url, body]) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body }).then(() => {}),
      [target + CREATE, BODY] as const,
    ),
  "fetch of JSON": (page, target) =>
    page.evaluate(
      ([url, body]) =>
        fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body }).then(
          () => {},
          () => {},
        ),
      [target + CREATE, BODY] as const,
    ),
  "a beacon": (page, target) =>
    page.evaluate(([url, body]) => navigator.sendBeacon(url, body), [target + CREATE, BODY] as const),
};

const GETS: Readonly<Record<string, Attack>> = {
  ...Object.fromEntries(
    (["img", "script", "iframe"] as const).map((tag) => [
      `an element of type ${tag}`,
      (page: Page, target: string) =>
        page.evaluate(
          ([name, src]) =>
            new Promise<void>((resolve) => {
              const element = Object.assign(document.createElement(name), { src });
              element.onload = element.onerror = () => resolve();
              document.body.append(element);
            }),
          [tag, `${target}/metrics`] as const,
        ),
    ]),
  ),
  EventSource: (page, target) =>
    page.evaluate(
      (url) =>
        new Promise<void>((resolve) => {
          const source = new EventSource(url);
          source.onerror = () => {
            source.close();
            resolve();
          };
        }),
      `${target}/metrics`,
    ),
  WebSocket: (page, target) =>
    page.evaluate(
      (url) =>
        new Promise<void>((resolve) => {
          new WebSocket(url).onclose = () => resolve();
        }),
      `${target.replace("http", "ws")}/metrics`,
    ),
  fetch: (page, target) =>
    page.evaluate(
      (url) =>
        fetch(url).then(
          () => {},
          () => {},
        ),
      `${target}/metrics`,
    ),
};

/** Attacks a server through a relay. Returns what it has answered of calls and figures, and whether it has done what the page wanted. */
async function attack(stand: Stand, act: Attack, isOpen: boolean) {
  const server = await start();
  const relay = await startRelay(server.url, { isOpen });
  const { page: at, target } = stand(relay.port);
  const page = await open(at);
  const asked = () => relay.answers.filter((answer) => /CreateLimiter|metrics/.test(answer));
  await act(page, target);
  await expect.poll(() => asked().length, { timeout: 5_000 }).toBeGreaterThan(0);
  // What follows a preflight.
  if (asked().at(-1)?.startsWith("OPTIONS") && isOpen) await expect.poll(() => asked().length).toBeGreaterThan(1);
  return { answers: asked(), isStolen: await isStolen(server) };
}

describe.each<[string, Stand]>([
  ["of another site", ELSEWHERE],
  ["of another port of this machine", OTHER_PORT],
  ["whose name was bent to the server", REBOUND],
])("a page %s", (_where, stand) => {
  it.each(Object.entries(POSTS))("makes no limiter by %s", async (_by, act) => {
    const { answers, isStolen } = await attack(stand, act, false);
    expect(answers).toEqual(answers.map(() => expect.stringMatching(/ 4\d\d$/)));
    expect(isStolen).toBe(false);
    // Control.
    expect((await attack(stand, act, true)).isStolen).toBe(true);
  });

  it.each(Object.entries(GETS))("gets no figures by %s", async (_by, act) => {
    const { answers } = await attack(stand, act, false);
    expect(answers).toEqual(answers.map(() => "GET /metrics 403"));
    // Control.
    expect((await attack(stand, act, true)).answers).toContain("GET /metrics 200");
  });
});

test("no page of others has the dashboard in a frame", async () => {
  const shown = async (isOpen: boolean) => {
    const server = await start();
    const relay = await startRelay(server.url, { isOpen });
    const page = await open(`http://evil.test:${site.port}/`);
    await page.evaluate(
      (src) =>
        new Promise((resolve) => {
          const frame = Object.assign(document.createElement("iframe"), { src });
          frame.onload = resolve;
          document.body.append(frame);
        }),
      `http://127.0.0.1:${relay.port}/`,
    );
    await expect.poll(() => relay.answers).toContain("GET / 200");
    const frame = page.frames().find((each) => each !== page.mainFrame());
    return (await frame?.locator("#app").count()) === 1;
  };
  expect(await shown(false)).toBe(false);
  // Control: without the policy it has.
  expect(await shown(true)).toBe(true);
});

describe("where callers are asked who they are", () => {
  const TOKEN = `bp_ann_${Buffer.alloc(32, 1).toString("base64url")}`;
  const AUTH = { tokens: [{ name: "ann", sha256: [digestOf(TOKEN).toString("hex")] }] };

  async function startAsking(isOpen: boolean) {
    const server = await startTestServer(`auth: ${JSON.stringify(AUTH)}\n`);
    onTestFinished(() => server[Symbol.asyncDispose]());
    return { server, relay: await startRelay(server.url, { isOpen }) };
  }

  it.each([
    ["another site", ELSEWHERE],
    ["another port of this machine", OTHER_PORT],
  ])("a page of %s logs nobody in by a token of its own", async (_where, stand) => {
    const loggedIn = async (isOpen: boolean) => {
      const { relay } = await startAsking(isOpen);
      const { page: at, target } = stand(relay.port);
      const page = await open(at);
      await submit(page, `${target}/login`, `{"token":"${TOKEN}","more":"`, '"}');
      await expect.poll(() => relay.answers.length).toBeGreaterThan(0);
      await page.waitForLoadState();
      return [relay.answers[0], (await page.context().cookies(target)).length];
    };
    expect(await loggedIn(false)).toEqual(["POST /login 403", 0]);
    // Control.
    expect(await loggedIn(true)).toEqual(["POST /login 200", 1]);
  });

  it.each(["a form", "fetch without CORS", "a beacon"])(
    "the login of a person is of no use to another port of the machine, by %s: its cookie comes along, and does not count",
    async (by) => {
      const isStolenWith = async (isOpen: boolean) => {
        const { server, relay } = await startAsking(isOpen);
        const { page: at, target } = OTHER_PORT(relay.port);
        const page = await open(`${target}/nothing`);
        const status = await page.evaluate(async (token) => {
          const headers = { "content-type": "application/json" };
          return (await fetch("/login", { method: "POST", headers, body: JSON.stringify({ token }) })).status;
        }, TOKEN);
        expect(status).toBe(200);
        await page.goto(at);
        await POSTS[by]?.(page, target);
        const asked = () => relay.answers.filter((answer) => answer.includes("CreateLimiter"));
        await expect.poll(() => asked().length).toBeGreaterThan(0);
        const bearer = { "content-type": "application/json", authorization: `Bearer ${TOKEN}` };
        const list = `${server.url}/ggen.backpressure.v1.LimiterService/ListLimiters`;
        const listed = await fetch(list, { method: "POST", headers: bearer, body: "{}" });
        return (await listed.text()).includes("stolen");
      };
      expect(await isStolenWith(false)).toBe(false);
      // Control.
      expect(await isStolenWith(true)).toBe(true);
    },
  );
});

test("the own page is a page like any other, and reaches what others do not", async () => {
  const server = await start();
  const { port } = new URL(server.url);
  for (const host of ["127.0.0.1", "localhost"]) {
    const page = await open(`http://${host}:${port}/nothing`);
    const fetched = await page.evaluate(() => fetch("/metrics").then(({ status }) => status));
    expect([host, fetched]).toEqual([host, 200]);
  }
  const page = await open(`${server.url}/nothing`);
  await POSTS["fetch of JSON"]?.(page, server.url);
  expect(await isStolen(server)).toBe(true);
});

test("a page does not reach the gRPC port, which speaks HTTP/2 without TLS: no browser does", async () => {
  const server = await start();
  const calls = async () =>
    (await scrape(server.url)).text.split("\n").filter((line) => /^rpc_server_call_duration_seconds_count/.test(line));
  const target = `http://${server.address}`;
  for (const page of [await open(`http://evil.test:${site.port}/`), await open(`${server.url}/nothing`)]) {
    for (const type of ["text/plain", "application/grpc", "application/json"]) {
      const outcome = await page.evaluate(
        ([url, contentType]) =>
          fetch(url, {
            method: "POST",
            mode: contentType === "text/plain" ? "no-cors" : "cors",
            headers: { "content-type": contentType },
            body: "\0\0\0\0\0",
          }).then(
            () => "answered",
            () => "failed",
          ),
        [`${target}/ggen.backpressure.v1.AdmissionService/TryAcquire`, type] as const,
      );
      expect([type, outcome]).toEqual([type, "failed"]);
    }
  }
  expect(await calls()).toEqual([]);
  // Control: what does reach it is counted.
  await server.grpc().call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  expect(await calls()).toHaveLength(1);
});
