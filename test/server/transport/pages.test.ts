import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { PageFile } from "../../../src/server/transport/web/pages/files.ts";
import { createPages } from "../../../src/server/transport/web/pages/pages.ts";
import { connectHttp2 } from "./support/http2-client.ts";
import { startWeb } from "./support/ports.ts";

const INDEX = "<!doctype html><title>page</title>";
const SCRIPT = "console.log('page')";

const FILES: readonly PageFile[] = [
  file("index.html", "text/html; charset=utf-8", INDEX, false),
  file("main-ABC.js", "text/javascript; charset=utf-8", SCRIPT, true),
];

function file(path: string, type: string, text: string, immutable: boolean): PageFile {
  return { path, type, etag: path, immutable, contents: Buffer.from(text), gzipped: gzipSync(text) };
}

async function start(): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const { address } = await startWeb([], { pages: createPages(FILES) });
  return (path, init) => fetch(`http://${address}${path}`, init);
}

test("the page is asked for anew each time, and what is named after its content is kept for ever", async () => {
  const get = await start();
  const page = await get("/");
  expect([page.status, page.headers.get("content-type"), page.headers.get("cache-control"), await page.text()]).toEqual(
    [200, "text/html; charset=utf-8", "no-cache", INDEX],
  );
  const script = await get("/main-ABC.js?x");
  expect([script.status, script.headers.get("content-type"), script.headers.get("cache-control")]).toEqual([
    200,
    "text/javascript; charset=utf-8",
    "public, max-age=31536000, immutable",
  ]);
  expect(await script.text()).toBe(SCRIPT);
});

test("nothing but the files of the list is served, whatever the path says", async () => {
  const get = await start();
  for (const path of ["/index.html", "/main-ABC.js.gz", "/..%2fmain-ABC.js", "//main-ABC.js", "/limiters/a"]) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
  expect((await get("/", { method: "POST" })).status).toBe(404);
});

test("a page may load and call its own server alone, runs no markup made of text, and stands in no frame", async () => {
  const get = await start();
  for (const path of ["/", "/main-ABC.js"]) {
    const { headers } = await get(path);
    const policy = headers.get("content-security-policy")?.split("; ") ?? [];
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ]),
    );
    expect(policy.join()).not.toMatch(/unsafe|\*/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  }
});

test.each([
  ["gzip, deflate, br", "gzip"],
  ["br;q=1.0, gzip;q=0.8", "gzip"],
  ["gzip;q=0", null],
  ["identity", null],
])("a reader that accepts %j gets it as %j, each form under a tag of its own", async (accepted, coding) => {
  const { address } = await startWeb([], { pages: createPages(FILES) });
  // fetch would unpack it.
  const client = connectHttp2(address);
  const stream = client.request({ ":path": "/main-ABC.js", "accept-encoding": accepted });
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  expect(headers["content-encoding"] ?? null).toBe(coding);
  expect(headers.etag).toBe(coding === null ? '"main-ABC.js"' : '"main-ABC.js-gz"');
  expect(headers.vary).toBe("accept-encoding");
  expect((coding === null ? body : gunzipSync(body)).toString()).toBe(SCRIPT);
});

test("what a browser has is not sent again, and HEAD sends no body", async () => {
  const get = await start();
  const first = await get("/");
  const etag = first.headers.get("etag") ?? "";
  const again = await get("/", { headers: { "if-none-match": `"other", ${etag}` } });
  expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag]);
  expect((await get("/", { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  const head = await get("/", { method: "HEAD", headers: { "accept-encoding": "identity" } });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, String(INDEX.length), ""]);
});
