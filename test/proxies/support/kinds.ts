/** The proxies of the page, and how each is run: in the foreground, as the user that runs the tests. */

import { type ChildProcess, execFile } from "node:child_process";
import { promisify } from "node:util";
import type { TestContext } from "vitest";
import { requireTool } from "../../support/require-tool.ts";
import { ENVOY, requireEnvoy } from "./envoy.ts";

const run = promisify(execFile);

export interface ProxyKind {
  readonly name: string;
  /** The name of its block on the page. */
  readonly file: string;
  /** Skips the test where it is missing; in CI the test fails. */
  require(context: TestContext): void;
  /** Adds what has nothing to do with the service: where to put files, in a folder that is empty but for `tmp`. */
  prepare(config: string, folder: string): string;
  command(path: string, folder: string): [command: string, ...args: string[]];
  /** Whether the end of a client's gRPC stream reaches the server as a cancel, and at once. */
  readonly passesCancels: boolean;
  /** What ends it at once, with the processes that it has started. */
  readonly endedBy: "SIGTERM" | "SIGKILL";
  /** Has it take up its configuration again; undefined: it takes a new process. */
  readonly reload?: (running: Running) => Promise<void>;
}

export interface Running {
  readonly process: ChildProcess;
  readonly path: string;
  /** host:port */
  readonly admin: string;
}

const asItIs = (config: string) => config;

export const NGINX: ProxyKind = {
  name: "nginx",
  file: "nginx.conf",
  passesCancels: false,
  endedBy: "SIGTERM",
  require: (context) =>
    requireTool(context, { name: "nginx", probe: ["nginx", "-v"], install: "apt-get install nginx" }),
  prepare(config, folder) {
    const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    const lines = folders.map((name) => `  ${name}_temp_path ${folder}/tmp/${name};\n`);
    return config.replace("http {\n", `http {\n  access_log off;\n${lines.join("")}`);
  },
  command: (path, folder) => [
    "nginx",
    "-c",
    path,
    "-p",
    folder,
    "-e",
    "stderr",
    "-g",
    `daemon off; pid ${folder}/pid; lock_file ${folder}/lock;`,
  ],
  reload: async ({ process }) => void process.kill("SIGHUP"),
};

export const HAPROXY: ProxyKind = {
  name: "HAProxy",
  file: "haproxy.cfg",
  passesCancels: true,
  endedBy: "SIGTERM",
  require: (context) =>
    requireTool(context, { name: "HAProxy", probe: ["haproxy", "-v"], install: "apt-get install haproxy" }),
  prepare: asItIs,
  command: (path) => ["haproxy", "-W", "-f", path],
  reload: async ({ process }) => void process.kill("SIGUSR2"),
};

export const CADDY: ProxyKind = {
  name: "Caddy",
  file: "Caddyfile",
  passesCancels: true,
  endedBy: "SIGKILL",
  require: (context) =>
    requireTool(context, { name: "Caddy", probe: ["caddy", "version"], install: "apt-get install caddy" }),
  prepare: asItIs,
  command: (path) => ["caddy", "run", "--config", path, "--adapter", "caddyfile"],
  async reload({ path, admin }) {
    await run("caddy", ["reload", "--config", path, "--adapter", "caddyfile", "--address", admin, "--force"]);
  },
};

export const ENVOY_PROXY: ProxyKind = {
  name: "Envoy",
  file: "envoy.yaml",
  passesCancels: true,
  endedBy: "SIGKILL",
  require: requireEnvoy,
  prepare: asItIs,
  command: (path) => [ENVOY, "-c", path, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"],
};

export const KINDS: readonly ProxyKind[] = [NGINX, HAPROXY, CADDY, ENVOY_PROXY];
