/** Real proxies between clients and the server, each with a configuration as its operator writes it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { unusedPort } from "../../support/unused-port.ts";
import { writeCertificate } from "./certificate.ts";
import type { ProxyKind } from "./kinds.ts";

export interface RunningProxy {
  /** host:port of its gRPC listener; plain text. */
  readonly grpc: string;
  /** Its web listener. */
  readonly web: string;
  /** Has it take up its configuration again, as its operator does; undefined: it cannot. */
  readonly reload: (() => Promise<void>) | undefined;
  /** Ends it at once, and starts it anew. */
  restart(): Promise<void>;
}

export interface Upstream {
  /** host:port of the server's gRPC port, and of its web port. */
  readonly grpc: string;
  readonly web: string;
}

/**
 * Starts a proxy that ends with the test. In `config` the proxy is 10.0.0.4, with gRPC on 50051 and the web on 443 or 80, and the
 * server 10.0.0.5, with 50051 and 8080.
 */
export async function startProxy(kind: ProxyKind, config: string, upstream: Upstream): Promise<RunningProxy> {
  const folder = mkdtempSync(join(tmpdir(), `${kind.name}-`));
  mkdirSync(join(folder, "tmp"));
  const ports = { grpc: await unusedPort(), web: await unusedPort(), admin: await unusedPort() };
  const isSecure = config.includes("/etc/ssl/");
  if (isSecure) writeCertificate(folder);
  const path = join(folder, kind.file);
  writeFileSync(path, kind.prepare(placed(config, ports, upstream, folder), folder));

  let running: ChildProcess | undefined;
  const start = async () => {
    running = await run(
      kind,
      path,
      folder,
      [ports.grpc, ports.web].filter((port) => hasPort(config, ports, port)),
    );
  };
  onTestFinished(async () => {
    await end(running, kind);
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  const { reload } = kind;
  return {
    grpc: `127.0.0.1:${ports.grpc}`,
    web: `${isSecure ? "https" : "http"}://127.0.0.1:${ports.web}`,
    reload:
      reload && (async () => reload({ process: running as ChildProcess, path, admin: `127.0.0.1:${ports.admin}` })),
    async restart() {
      await end(running, kind);
      await start();
    },
  };
}

interface Ports {
  readonly grpc: number;
  readonly web: number;
  readonly admin: number;
}

/** Replaces the addresses of the page by those of the test. */
function placed(config: string, ports: Ports, upstream: Upstream, folder: string): string {
  return config
    .replaceAll(LISTENS_GRPC, `127.0.0.1$1${ports.grpc}`)
    .replaceAll(LISTENS_WEB, `127.0.0.1$1${ports.web}`)
    .replaceAll(LISTENS_ADMIN, `127.0.0.1:${ports.admin}`)
    .replaceAll(SERVES_GRPC, `127.0.0.1$1${portOf(upstream.grpc)}`)
    .replaceAll(SERVES_WEB, `127.0.0.1$1${portOf(upstream.web)}`)
    .replaceAll("/etc/ssl/", `${folder}/`);
}

const LISTENS_GRPC = /10\.0\.0\.4(:|, port_value: )50051\b/g;
const LISTENS_WEB = /10\.0\.0\.4(:|, port_value: )(?:443|80)\b/g;
const LISTENS_ADMIN = /127\.0\.0\.1:2019\b/g;
const SERVES_GRPC = /10\.0\.0\.5(:|, port_value: )50051\b/g;
const SERVES_WEB = /10\.0\.0\.5(:|, port_value: )8080\b/g;

function portOf(address: string): string {
  return /:(\d+)\/?$/.exec(address)?.[1] ?? "";
}

function hasPort(config: string, ports: Ports, port: number): boolean {
  return config.search(port === ports.grpc ? LISTENS_GRPC : LISTENS_WEB) >= 0;
}

/** Resolves when it listens; rejects with what it says if it ends before. */
async function run(kind: ProxyKind, path: string, folder: string, ports: readonly number[]): Promise<ChildProcess> {
  const [command, ...args] = kind.command(path, folder);
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-10_000);
    });
  }
  let failure: string | undefined;
  child.once("error", (error) => (failure = String(error)));
  child.once("exit", (code) => (failure = `${kind.name} has ended with ${code}: ${said}`));
  for (const port of ports) {
    while (!(await listens(port))) {
      if (failure !== undefined) throw new Error(failure);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return child;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function end(child: ChildProcess | undefined, { endedBy }: ProxyKind): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(endedBy);
  await exited;
}
