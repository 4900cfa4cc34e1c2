/** Real ports on loopback for the services that a test gives, closed when the test ends. */

import { onTestFinished } from "vitest";
import { type Clock, createSystemClock } from "../../../../src/server/clock.ts";
import type { RpcService } from "../../../../src/server/service/rpc.ts";
import { createGrpcTransport } from "../../../../src/server/transport/grpc/transport.ts";
import { createConnectionPlaces } from "../../../../src/server/transport/port/connection-places.ts";
import type {
  Liveness,
  Transport,
  TransportLimits,
  TransportOptions,
} from "../../../../src/server/transport/port/options.ts";
import { type CallTimes, createCallTimes, type Timed } from "../../../../src/server/transport/rpc/call-times.ts";
import { createWebTransport, type WebTransportOptions } from "../../../../src/server/transport/web/transport.ts";
import { createMemoryLog, type MemoryLog } from "./memory-log.ts";

export interface Port {
  readonly transport: Transport;
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly log: MemoryLog;
}

export interface PortOptions {
  readonly limits?: Partial<TransportLimits>;
  readonly liveness?: Partial<Liveness>;
  readonly clock?: Clock;
  readonly times?: CallTimes;
  readonly tls?: TransportOptions["tls"];
  readonly authenticator?: TransportOptions["authenticator"];
}

export const LIMITS: TransportLimits = {
  maxMessageBytes: 64 * 1024,
  maxStreamsPerConnection: 1000,
  maxConnections: 100,
  maxMetadataBytes: 16 * 1024,
};

export function startGrpc(services: readonly RpcService[], options: PortOptions = {}): Promise<Port> {
  const log = createMemoryLog();
  return start(createGrpcTransport(transportOptions(services, options, log)), log);
}

export function startWeb(
  services: readonly RpcService[],
  options: PortOptions & { readonly cors?: Partial<WebTransportOptions["cors"]> } & Partial<
      Pick<WebTransportOptions, "pages" | "hosts" | "guardedPage">
    > = {},
): Promise<Port> {
  const log = createMemoryLog();
  const { cors, pages, guardedPage, hosts = [] } = options;
  const common = {
    ...transportOptions(services, options, log),
    cors: { origins: [], headers: [], ...cors },
    hosts,
    guardedPage,
  };
  return start(createWebTransport(pages ? { ...common, pages } : common), log);
}

function transportOptions(
  services: readonly RpcService[],
  options: PortOptions,
  log: MemoryLog,
): TransportOptions & Timed {
  const limits = { ...LIMITS, ...options.limits };
  const { clock = createSystemClock() } = options;
  return {
    services,
    places: createConnectionPlaces(limits.maxConnections),
    limits,
    liveness: { keepaliveTime: 10_000_000, keepaliveTimeout: 5_000_000, ...options.liveness },
    times: options.times ?? createCallTimes(clock),
    clock,
    tls: options.tls,
    authenticator: options.authenticator,
    log,
  };
}

async function start(transport: Transport, log: MemoryLog): Promise<Port> {
  onTestFinished(() => transport.close());
  const { port } = await transport.listen("127.0.0.1:0");
  return { transport, port, address: `127.0.0.1:${port}`, log };
}
