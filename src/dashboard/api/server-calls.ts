/**
 * What concerns the server as a whole: its health and its configuration. They are asked for in Connect's JSON, as curl would: the
 * descriptions of their messages would cost more than the rest of this file.
 */

import { Code, ConnectError } from "@connectrpc/connect";

export interface ServerCalls {
  /** Returns what `grpc.health.v1.Health/Check` answers: SERVING, NOT_SERVING. Rejects when there is no answer within `ms`. */
  health(ms: number): Promise<string>;
  /** Returns what `ConfigService/GetConfig` answers. */
  config(): Promise<ServerConfig>;
}

/** `GetConfigResponse` in JSON; a field that has its default is missing. */
export interface ServerConfig {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly origins?: readonly FieldOrigin[];
  readonly file?: string;
  readonly restartFields?: readonly string[];
  readonly startTime?: string;
  readonly loadTime?: string;
  readonly serverVersion?: string;
  readonly readTime?: string;
  readonly status?: ServerStatus;
}

export interface FieldOrigin {
  readonly field: string;
  readonly origin?: string;
  readonly variable?: string;
}

export interface ServerStatus {
  readonly draining?: boolean;
  readonly learningEndTime?: string;
  readonly storeProblem?: string;
  readonly fileProblems?: readonly string[];
  readonly fileProblemCount?: number;
  readonly fileRefuseTime?: string;
  readonly load?: ServerLoad;
}

export interface ServerLoad {
  readonly streams?: readonly { readonly method?: string; readonly open?: number }[];
  readonly grpcConnections?: number;
  readonly webConnections?: number;
  readonly eventLoopDelay?: {
    readonly p50?: string;
    readonly p99?: string;
    readonly longest?: string;
    readonly thread?: string;
  };
  readonly heapUsedBytes?: string;
  readonly heapTotalBytes?: string;
  readonly storeBytes?: string;
}

/** Connect's, by their statuses of HTTP. */
const CODES: Readonly<Record<number, Code>> = { 401: Code.Unauthenticated, 403: Code.PermissionDenied };

/** ms. */
const PATIENCE = 5_000;

export function createServerCalls(baseUrl: string): ServerCalls {
  async function call(path: string, ms: number): Promise<unknown> {
    const response = await fetch(`${baseUrl}/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "connect-protocol-version": "1" },
      body: "{}",
      signal: AbortSignal.timeout(ms),
    });
    if (response.ok) return response.json();
    const { message = `HTTP ${response.status}` } = await response.json().catch(() => ({}));
    throw new ConnectError(message, CODES[response.status] ?? Code.Unknown);
  }
  return {
    async health(ms) {
      const { status = "UNKNOWN" } = (await call("grpc.health.v1.Health/Check", ms)) as { readonly status?: string };
      return status;
    },
    async config() {
      return (await call("ggen.backpressure.config.v1.ConfigService/GetConfig", PATIENCE)) as ServerConfig;
    },
  };
}
