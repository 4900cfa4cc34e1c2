/** A real browser, and pages that have the client as the global `backpressure`. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { onTestFinished } from "vitest";

const ENTRY = fileURLToPath(new URL("../../../src/client/index.browser.ts", import.meta.url));

export interface Bundle {
  readonly text: string;
  readonly metafile: Metafile;
}

/** The browser's entry point as one script. */
export async function bundleForBrowsers(): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    minify: true,
    platform: "browser",
    target: "es2022",
    format: "iife",
    globalName: "backpressure",
    metafile: true,
    logLevel: "silent",
  });
  return { text: outputFiles[0]?.text ?? "", metafile };
}

/**
 * Opens a page that has the client, at an origin that need not serve one. It ends with the test.
 */
export async function openPage(browser: Browser, origin: string, bundle: Bundle): Promise<Page> {
  const page = await newPage(browser);
  await page.route(`${origin}/page`, (route) => route.fulfill({ contentType: "text/html", body: htmlOf(bundle) }));
  await page.goto(`${origin}/page`);
  return page;
}

/** Serves a page that has the client at an origin of its own; browsers let only such a page call another local port. */
export async function servePage(bundle: Bundle): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(htmlOf(bundle));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A page of a context of its own, which ends with the test. */
export async function newPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  return context.newPage();
}

function htmlOf({ text }: Bundle): string {
  return `<!doctype html><title>test</title><script>${text.replaceAll("</script", "<\\/script")}</script>`;
}
