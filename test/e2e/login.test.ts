/** Logins of pages: what makes one, where it counts, and what ends it. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { type Clock, createSystemClock } from "../../src/server/clock.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { startServer } from "../../src/server/server.ts";
import { createMemoryLog } from "../server/transport/support/memory-log.ts";
import { AUDIENCE, createSigningKey, ISSUER, sign, startKeyPort } from "../support/identity-provider.ts";
import { FREE_PORTS } from "../support/server.ts";
import { WORKERS_YAML } from "../support/workers.ts";
import { ask, callWith, GET_LIMITER, logIn, OWN, watch } from "./support/page-calls.ts";

const secret = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const ANN = `bp_ann_${secret(1)}`;
const BOB = `bp_bob_${secret(2)}`;
const WRONG = `bp_ann_${secret(9)}`;

const entry = (token: string) => ({
  name: token.split("_")[1],
  sha256: [digestOf(token).toString("hex")],
});
const AUTH = { tokens: [entry(ANN), entry(BOB)] };

function configOf(fields: object) {
  const all = { limiters: [{ name: "db", max_concurrent: 1 }], auth: AUTH, ...fields };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  const lines = given.map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  const listeners = "listeners" in fields ? "" : FREE_PORTS;
  const config = parseConfig(`${listeners}${"workers" in fields ? "" : WORKERS_YAML}${lines.join("")}`, {
    path: undefined,
    overrides: [],
  });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  return config;
}

async function start(fields: object = {}, clock: Clock = createSystemClock()) {
  const log = createMemoryLog();
  const server = await startServer({ config: configOf(fields), log, clock });
  onTestFinished(() => server.stopNow());
  return { server, log, url: `http://127.0.0.1:${server.web.port}` };
}

async function cookieOf(url: string, token = ANN): Promise<string> {
  const { cookie } = await logIn(url, token);
  if (cookie === undefined) throw new Error("no cookie was set");
  return cookie;
}

const self = async (url: string, cookie = "") => {
  const { status, text } = await ask(url, "/login", { ...OWN, cookie });
  return status === 200 ? JSON.parse(text) : status;
};

describe("a page that shows a token", () => {
  it("is logged in by a cookie that no script and no page of others has", async () => {
    const { url, log } = await start();
    expect(await self(url)).toBe(401);
    const { status, text, setCookie, cookie = "" } = await logIn(url, ANN);
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { caller: "token:ann", kind: "token", byLogin: true, asks: true },
    ]);
    expect(setCookie).toMatch(/^__Host-backpressure=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    expect(Buffer.from(cookie.split("=")[1] ?? "", "base64url").includes(secret(1))).toBe(false);
    expect(await self(url, cookie)).toMatchObject({ caller: "token:ann", byLogin: true });
    expect(await callWith(url, cookie)).toBe(200);
    expect(JSON.stringify(log.lines)).not.toContain(secret(1));
    expect(JSON.stringify(log.lines)).not.toContain(cookie.split("=")[1]);
    expect(log.lines.map(({ fields }) => fields)).toContainEqual(
      expect.objectContaining({ event: "login", caller: "token:ann", peer: expect.stringMatching(/^127\.0\.0\.1:/) }),
    );
  });

  it("is logged in by a signed one, too, and for no longer than that counts", async () => {
    const key = await createSigningKey();
    const port = await startKeyPort([key.jwk]);
    const jwt = [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { url: port.url } }];
    let skipped = 0;
    const real = createSystemClock();
    const clock: Clock = { ...real, wallTime: (at) => real.wallTime(at) + skipped };
    const { url } = await start({ auth: { jwt }, workers: 0 }, clock);
    const cookie = await cookieOf(url, await sign(key, {}, 60));
    expect(await self(url, cookie)).toMatchObject({ kind: "jwt", byLogin: true });
    expect(await callWith(url, cookie)).toBe(200);
    skipped = 70_000;
    expect(await callWith(url, cookie)).toBe(401);
  });

  it("is logged in for twelve hours at most", async () => {
    let skipped = 0;
    const real = createSystemClock();
    const clock: Clock = { ...real, wallTime: (at) => real.wallTime(at) + skipped };
    const { url } = await start({ workers: 0 }, clock);
    const cookie = await cookieOf(url);
    skipped = 12 * 3_600_000 - 60_000;
    expect(await callWith(url, cookie)).toBe(200);
    skipped = 12 * 3_600_000;
    expect(await callWith(url, cookie)).toBe(401);
  });

  it("is not, with one that does not count, however often it is shown; a right one of the same address is", async () => {
    const { url } = await start({ workers: 0 });
    for (let count = 0; count < 25; count++) {
      const { status, cookie } = await logIn(url, WRONG);
      expect([status, cookie]).toEqual([401, undefined]);
    }
    expect((await logIn(url, BOB)).status).toBe(200);
  });

  it.each<[string, string, object | undefined]>([
    ["no JSON", "text/plain", { token: ANN }],
    ["what a form sends", "application/x-www-form-urlencoded", { token: ANN }],
    ["no token", "application/json", {}],
    ["more than one is asked for", "application/json", { token: ANN, more: "x".repeat(20_000) }],
    ["a token that is none", "application/json", { token: { sub: "ann" } }],
  ])("is not, with %s", async (_what, type, body) => {
    const { url } = await start();
    const { status, cookie } = await ask(url, "/login", { ...OWN, "content-type": type }, body);
    expect([type === "application/json" ? 401 : 415, undefined]).toEqual([status, cookie]);
  });
});

describe("a login", () => {
  it.each<[string, Record<string, string>, number]>([
    ["of the page itself", OWN, 200],
    ["of the page, in a browser that says its origin alone", { origin: "http://127.0.0.1" }, 200],
    ["of whatever does not say who asks", {}, 401],
    ["of what a person has typed", { "sec-fetch-site": "none" }, 401],
    ["of another port of the machine", { "sec-fetch-site": "same-site", origin: "http://127.0.0.1:1" }, 403],
    ["of another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }, 403],
    [
      "of a page that may call, with credentials of its own",
      { "sec-fetch-site": "cross-site", origin: "https://app.example.com" },
      401,
    ],
  ])("counts for a call %s, or does not", async (_what, headers, status) => {
    const listeners = { grpc: "127.0.0.1:0", web: "127.0.0.1:0", cors_origins: ["https://app.example.com"] };
    const { url } = await start({ listeners });
    const cookie = await cookieOf(url);
    const host = headers.origin === "http://127.0.0.1" ? { host: "127.0.0.1" } : undefined;
    expect(await callWith(url, cookie, { "content-type": "application/json", ...headers, ...host })).toBe(status);
  });

  it("is made for no page of others, not even for one that may call (login CSRF)", async () => {
    const app = "https://app.example.com";
    const listeners = { grpc: "127.0.0.1:0", web: "127.0.0.1:0", cors_origins: [app] };
    const { url } = await start({ listeners });
    for (const origin of [app, "https://evil.example", "null"]) {
      const headers = { "content-type": "application/json", origin, "sec-fetch-site": "cross-site" };
      const { status, cookie } = await logIn(url, ANN, headers);
      expect([origin, status, cookie]).toEqual([origin, 403, undefined]);
    }
    expect((await logIn(url, ANN, { "content-type": "application/json" })).status).toBe(403);
    // Control: its calls are heard.
    const call = { "content-type": "application/json", origin: app, authorization: `Bearer ${ANN}` };
    expect((await ask(url, GET_LIMITER, call, { name: "db" })).status).toBe(200);
  });

  it("that is changed, or another server's, is as none: no failure is counted for it", async () => {
    const { url } = await start({ workers: 0 });
    const other = await start({ workers: 0 });
    const strange = await cookieOf(other.url);
    const own = await cookieOf(url);
    // A character of the ciphertext; the last one may have bits that stand for nothing.
    const changed = `${own.slice(0, -9)}${own.at(-9) === "A" ? "B" : "A"}${own.slice(-8)}`;
    for (let count = 0; count < 15; count++) {
      expect(await callWith(url, strange)).toBe(401);
      expect(await callWith(url, changed)).toBe(401);
    }
    expect((await logIn(url, BOB)).status).toBe(200);
  });

  it("ends with its token within a second, and its streams with it", async () => {
    const { server, url } = await start();
    const [ann, bob] = [await cookieOf(url), await cookieOf(url, BOB)];
    const { ended } = await watch(url, ann);
    const began = performance.now();
    server.reconfigure(configOf({ auth: { tokens: [entry(BOB)] } }));
    expect(await ended).toContain("CREDENTIAL_EXPIRED");
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await callWith(url, ann)).toBe(401);
    // Control.
    expect(await callWith(url, bob)).toBe(200);
  });

  it("may what its caller may, as the list has it now", async () => {
    const observe = { who: ["token:ann"], may: ["observe"], limiters: ["*"], boards: ["*"] };
    const { server, url } = await start({ access: [observe] });
    const cookie = await cookieOf(url);
    const pause = () =>
      ask(
        url,
        "/ggen.backpressure.v1.LimiterService/UpdateLimiter",
        { ...OWN, cookie },
        {
          limiter: { name: "db", paused: true },
          updateMask: "paused",
        },
      );
    expect(await callWith(url, cookie)).toBe(200);
    expect(await pause()).toMatchObject({ status: 403, text: expect.stringContaining("NOT_ALLOWED") });
    server.reconfigure(configOf({ access: [{ ...observe, may: ["observe", "operate"] }] }));
    await expect.poll(async () => (await pause()).status, { timeout: 1_000 }).toBe(200);
    server.reconfigure(configOf({ access: [{ ...observe, who: ["token:bob"] }] }));
    await expect.poll(() => callWith(url, cookie), { timeout: 1_000 }).toBe(403);
  });

  it("is given up: the browser drops its cookie", async () => {
    const { url, log } = await start();
    const cookie = await cookieOf(url);
    const { status, setCookie } = await ask(url, "/logout", { ...OWN, cookie }, {});
    expect([status, setCookie]).toEqual([
      200,
      "__Host-backpressure=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict",
    ]);
    expect(log.lines.map(({ fields: { event, caller } }) => [event, caller])).toContainEqual(["logout", "token:ann"]);
    expect((await ask(url, "/logout", { ...OWN, "sec-fetch-site": "cross-site", cookie }, {})).status).toBe(403);
  });
});

test("a login counts in all transport workers, and after a restart over the same folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-logins-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const fields = { workers: 2, store: { folder } };
  const first = await start(fields);
  const cookie = await cookieOf(first.url);
  // Each over a connection of its own, which the system hands to one of the two.
  const statuses = await Promise.all(Array.from({ length: 16 }, () => callWith(first.url, cookie)));
  expect(new Set(statuses)).toEqual(new Set([200]));
  await first.server.stopNow();
  const second = await start(fields);
  expect(await callWith(second.url, cookie)).toBe(200);
});

test("logins have their lines in the audit file; of those that are refused some have", async () => {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-logins-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "audit.jsonl");
  const { url } = await start({ audit: { file } });
  const cookie = await cookieOf(url);
  await ask(url, "/logout", { ...OWN, cookie }, {});
  for (let count = 0; count < 30; count++) await logIn(url, WRONG);
  const lines = () =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  await expect.poll(() => lines().length).toBeGreaterThanOrEqual(22);
  expect(lines().slice(0, 3)).toMatchObject([
    { event: "login", caller: "token:ann", peer: expect.stringMatching(/^127\.0\.0\.1:/) },
    { event: "logout", caller: "token:ann" },
    { event: "login-refused", more: 0 },
  ]);
  expect(lines().length).toBeLessThan(30);
  expect(readFileSync(file, "utf8")).not.toContain(secret(9));
});

test("where nobody is asked, everybody is anonymous, and there is nothing to log in to", async () => {
  const { url } = await start({ auth: undefined });
  expect(await self(url)).toEqual({ caller: "anonymous", kind: "anonymous", byLogin: false, asks: false });
  expect(await logIn(url, ANN)).toMatchObject({ status: 401, cookie: undefined });
});
