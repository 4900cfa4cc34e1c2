/** A page that calls a server over TLS, with a token: all its streams share one connection, however many they are. */

import { createHash, X509Certificate } from "node:crypto";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { startTlsServer } from "../e2e/support/tls-server.ts";
import { createAuthority } from "../support/certificates.ts";
import { useBrowser } from "./support/browser.ts";
import type { Site } from "./support/site.ts";

/** What the pages have. */
declare const backpressure: import("./support/client-page.ts").ClientPage;

const authority = await createAuthority();
const leaf = await authority.issue();
const { publicKey } = new X509Certificate(leaf.cert);
const spki = createHash("sha256")
  .update(publicKey.export({ type: "spki", format: "der" }))
  .digest("base64");
const browser = useBrowser({ trustedKeys: [spki] });

const TOKEN = `bp_page_${Buffer.alloc(32, 5).toString("base64url")}`;
const WRONG = `bp_page_${Buffer.alloc(32, 6).toString("base64url")}`;
/** Ttls that the test does not live to see. */
const LONG = { ttl: "1h", max_ttl: "1h" };
const LIMITERS = [
  { name: "db", max_concurrent: 10, ...LONG },
  { name: "sample", max_concurrent: 1, ...LONG },
];
const AUTH = { tokens: [{ name: "page", sha256: [digestOf(TOKEN).toString("hex")] }] };
const YAML = `limiters: ${JSON.stringify(LIMITERS)}\nauth: ${JSON.stringify(AUTH)}\n`;

async function start({ origin }: Site): Promise<string> {
  const { server } = await startTlsServer(YAML, { leaf, authority, corsOrigins: [origin] });
  return `https://localhost:${server.web.port}`;
}

/** Collects by which protocol, and over which connection, the answers to a call came. */
async function watchCarriers(page: Page, call: string): Promise<ReadonlySet<string>> {
  const carriers = new Set<string>();
  const devtools = await page.context().newCDPSession(page);
  devtools.on("Network.responseReceived", ({ response, type }) => {
    if (type === "Preflight" || !response.url.endsWith(call)) return;
    carriers.add(`${response.protocol} ${response.connectionId}`);
  });
  await devtools.send("Network.enable");
  return carriers;
}

test("a dozen streams are open at once on one connection of HTTP/2, and one that is cancelled frees its permit", async () => {
  const site = await browser.strangeSite();
  const url = await start(site);
  const page = await browser.openClient(site);
  const carriers = await watchCarriers(page, "/Acquire");
  const said = await page.evaluate(
    async ({ url, token }) => {
      const client = backpressure.connect(url, { token });
      const stop = new AbortController();
      const first = await client.acquire("db", { signal: stop.signal });
      const others = await Promise.all(Array.from({ length: 9 }, () => client.acquire("db")));
      const queued = Promise.withResolvers<void>();
      const waiters = [0, 1].map(() => client.acquire("db", { onWaiting: () => queued.resolve() }));
      await queued.promise;
      stop.abort();
      const next = await Promise.race(waiters);
      return { first: first.valid, others: others.filter(({ valid }) => valid).length, next: next.valid };
    },
    { url, token: TOKEN },
  );
  expect(said).toEqual({ first: false, others: 9, next: true });
  expect([...carriers]).toEqual([expect.stringMatching(/^h2 \d+$/)]);
});

test("over HTTP/1.1, the control, a seventh stream gets no connection: a browser opens six", async () => {
  const { server, site } = await browser.start("limiters: [{ name: db, max_concurrent: 10, ttl: 1h, max_ttl: 1h }]");
  const page = await browser.openClient(site);
  const said = await page.evaluate(async (url) => {
    const client = backpressure.connect(url, { maxStreams: 100, retry: { maxAttempts: 1 } });
    const six = await Promise.all(Array.from({ length: 6 }, () => client.acquire("db")));
    const seventh = await client.acquire("db").catch((error: Error) => error.name);
    return { six: six.length, seventh };
  }, server.url);
  expect(said).toEqual({ six: 6, seventh: "ServerUnavailableError" });
});

test("the example's page holds with the token that is typed, and says why it is refused without", async () => {
  const site = await browser.strangeSite();
  const url = await start(site);
  const [page] = await browser.openTabs(`${site.origin}/?server=${encodeURIComponent(url)}`);
  const acquire = async (token: string, shows: RegExp) => {
    await page?.getByLabel("Token").fill(token);
    await page?.getByRole("button", { name: "Acquire" }).click();
    await page?.getByRole("status").filter({ hasText: shows }).waitFor();
  };
  await acquire("", /refused: UNAUTHENTICATED/);
  await acquire(WRONG, /refused: UNAUTHENTICATED/);
  await acquire(TOKEN, /holding/);
});
