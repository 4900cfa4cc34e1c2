/** A site of its own: what its pages say to the server goes across origins. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export interface Site extends AsyncDisposable {
  readonly origin: string;
}

/** Path and text of each file. */
export type Files = Readonly<Record<string, string>>;

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

const CLIENT_PAGE = '<!doctype html><title>client</title><script type="module" src="client.js"></script>';

/** The site has the example of a page as `/`, and as `/client` a page that has the client. */
export async function bundleFiles(): Promise<Files> {
  return {
    "/": readFileSync(`${ROOT}/examples/browser/index.html`, "utf8"),
    "/client": CLIENT_PAGE,
    ...(await bundle({ main: "examples/browser/main.ts", client: "test/browser/support/client-page.ts" })),
  };
}

export async function serveSite(files: Files): Promise<Site> {
  const server = createServer(({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://site");
    const text = files[pathname];
    if (text === undefined) {
      response.writeHead(404).end();
      return;
    }
    const type = pathname.endsWith(".js") ? "text/javascript" : "text/html";
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * As a bundler makes them of the published package, in which the condition `browser` chooses the client: what the client loads
 * late comes in files of its own.
 */
async function bundle(entryPoints: Record<string, string>): Promise<Files> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints,
    alias: { "ggen-backpressure": `${ROOT}/src/client/index.browser.ts` },
    bundle: true,
    write: false,
    outdir: "/",
    splitting: true,
    format: "esm",
    logLevel: "silent",
  });
  return Object.fromEntries(outputFiles.map(({ path, text }) => [path, text]));
}
