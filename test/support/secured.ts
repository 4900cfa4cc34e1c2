/** A server that examples/secured/secure.sh has secured, and what its clients are given. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ConnectOptions } from "../../src/client/index.ts";
import { startServerProcess } from "./server-process.ts";

const run = promisify(execFile);
const SECURE = fileURLToPath(new URL("../../examples/secured/secure.sh", import.meta.url));

export interface Secured extends AsyncDisposable {
  /** Where gRPC is served: host:port. */
  readonly address: string;
  /** Where Connect and gRPC-Web are served: https://host:port. */
  readonly url: string;
  /** The path of a file of its folder. */
  file(name: string): string;
  /** What a client connects with that has the worker's certificate. */
  readonly options: ConnectOptions;
}

/** How a client shows who it is: the files that it is given, by the names of their flags. */
export const CREDENTIALS = {
  "a client certificate": {
    caller: "spiffe://example.com/worker",
    files: { "ca-file": "ca.crt", "cert-file": "worker.crt", "key-file": "worker.key" },
  },
  "a token": { caller: "token:worker", files: { "ca-file": "ca.crt", "token-file": "worker.token" } },
} as const;

/** `config`: that of an example, but for the ports. */
export async function startSecured(config: string): Promise<Secured> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-secured-"));
  const file = (name: string) => join(folder, name);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  writeFileSync(file("plain.yaml"), config);
  await run(SECURE, [file("plain.yaml"), folder]);
  const server = cleanup.use(await startServerProcess(readFileSync(file("backpressure.yaml"), "utf8")));
  const tls = { caFile: file("ca.crt"), certFile: file("worker.crt"), keyFile: file("worker.key") };
  const own = cleanup.move();
  return {
    address: server.address,
    url: server.url,
    file,
    options: { tls },
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}
