/** A server with a data folder, which is stopped or killed and started again, on the same ports. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, type ServerProcessOptions, startServerProcess } from "./server-process.ts";

export interface RestartingServer extends AsyncDisposable {
  /** host:port, the same for all its life. */
  readonly address: string;
  readonly url: string;
  readonly folder: string;
  /** The one that runs, or ran last. */
  readonly process: ServerProcess;
  /** kill -9. Resolves when it is gone. */
  crash(): Promise<void>;
  /** SIGTERM. Resolves with how it ended. */
  stop(): Promise<{ readonly code: number | null }>;
  /** Resolves when it serves. */
  start(options?: ServerProcessOptions): Promise<void>;
}

/** `yaml`: all but the listeners and the store; `store`: more of its section. */
export async function startRestartingServer(yaml: string, store = ""): Promise<RestartingServer> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-data-"));
  const config = `store: { folder: ${folder}${store && `, ${store}`} }\n${yaml}`;
  let running = await startServerProcess(config);
  const { address, url } = running;

  return {
    address,
    url,
    folder,
    get process() {
      return running;
    },
    async crash() {
      running.signal("SIGKILL");
      await running.exited;
    },
    async stop() {
      running.signal("SIGTERM");
      return running.exited;
    },
    async start(options = {}) {
      await running[Symbol.asyncDispose]();
      const env = { ...options.env, BACKPRESSURE_GRPC_LISTEN: address, BACKPRESSURE_WEB_LISTEN: new URL(url).host };
      running = await startServerProcess(config, { ...options, env });
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}
