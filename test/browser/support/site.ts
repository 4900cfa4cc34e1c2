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

const CLIENT_PAGE = '<!doctype html><title>client</title><script src="client.js"></script>';

/** The site has the example of a page as `/`, and as `/client` a page that has the client. */
export async function bundleFiles(): Promise<Files> {
  const [example, client] = await Promise.all([
    bundle("examples/browser/main.ts"),
    bundle("test/browser/support/client-page.ts"),
  ]);
  return {
    "/": readFileSync(`${ROOT}/examples/browser/index.html`, "utf8"),
    "/main.js": example,
    "/client": CLIENT_PAGE,
    "/client.js": client,
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

/** As a bundler makes it of the published package, in which the condition `browser` chooses the client. */
async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    alias: { "ggen-backpressure": `${ROOT}/src/client/index.browser.ts` },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "backpressure",
    logLevel: "silent",
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry} made no file`);
  return file.text;
}
