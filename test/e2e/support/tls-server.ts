/** A real server over TLS, in this process, on free ports. */

import { onTestFinished } from "vitest";
import { parseConfig } from "../../../src/server/config/config.ts";
import { type Server, startServer } from "../../../src/server/server.ts";
import { createMemoryLog, type MemoryLog } from "../../server/transport/support/memory-log.ts";
import type { Authority, Leaf } from "../../support/certificates.ts";
import { FREE_LISTENERS } from "../../support/server.ts";
import { createTlsFolder, type TlsFolder } from "../../support/tls-folder.ts";
import { WORKERS_YAML } from "../../support/workers.ts";

export interface TlsServer {
  readonly server: Server;
  readonly log: MemoryLog;
  readonly folder: TlsFolder;
  /** The server's authority, for clients. */
  readonly caFile: string;
}

export interface TlsServerOptions {
  readonly leaf: Leaf;
  readonly authority: Authority;
  readonly clientCa?: string;
  readonly clientCrl?: string;
  /** Pages of these may call it. Unset: none. */
  readonly corsOrigins?: readonly string[];
}

/** `options`: undefined for plain text. */
export async function startTlsServer(yaml: string, options: TlsServerOptions | undefined): Promise<TlsServer> {
  const folder = createTlsFolder();
  const tls = options && {
    cert_file: folder.write("server.pem", options.leaf.cert),
    key_file: folder.write("server.key", options.leaf.key),
    client_ca_file: options.clientCa === undefined ? "" : folder.write("clients.pem", options.clientCa),
    client_crl_file: options.clientCrl === undefined ? "" : folder.write("withdrawn.pem", options.clientCrl),
  };
  const listeners = { ...FREE_LISTENERS, cors_origins: options?.corsOrigins ?? [] };
  const text = `listeners: ${JSON.stringify(listeners)}\n${WORKERS_YAML}${yaml}${tls === undefined ? "" : `tls: ${JSON.stringify(tls)}\n`}`;
  const config = parseConfig(text, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  const log = createMemoryLog();
  const server = await startServer({ config, log });
  onTestFinished(() => server.stopNow());
  return { server, log, folder, caFile: folder.write("authority.pem", options?.authority.cert ?? "") };
}
