/** Observes a server that answers: a few calls, none of which changes anything. */

import { BoardService } from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../client/gen/grpc/health/v1/health_pb.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import { readBoards } from "../reading/board-view.ts";
import type { Calls, Connection } from "../session/grpc-connection.ts";
import { allPages } from "../session/pages.ts";
import { isLoopback } from "./check-server.ts";
import type { Observations, ServerFacts, WebPort } from "./observations.ts";

/** What the server says of itself, and when it was asked and answered; undefined: it does not say. */
export type ReadServer = (connection: Connection) => Promise<(ServerFacts & { readonly web: string }) | undefined>;

export interface ObserveOptions {
  readonly address: string;
  readonly clientVersion: string;
  readonly readServer: ReadServer;
}

/** Calls that are timed; the first, which connects, is not. */
const TIMED = 5;
/** ms for the web port to answer. */
const WEB_PATIENCE = 3_000;

/** Rejects as calls do, with the first that fails. */
export async function observe(connection: Connection, options: ObserveOptions): Promise<Observations> {
  const health = connection.callsTo(Health);
  const proxy = await readProxy(health);
  const roundTrips: number[] = [];
  const clock = createSystemClock();
  for (let count = 0; count < TIMED; count++) {
    const asked = clock.now().monotonic;
    await health.unary((rpc, callOptions) => rpc.check({}, callOptions));
    roundTrips.push(clock.now().monotonic - asked);
  }
  const server = await options.readServer(connection);
  const limiterCalls = connection.callsTo(LimiterService);
  const limiters = await allPages(async (query) => {
    const page = await limiterCalls.unary((rpc, callOptions) => rpc.listLimiters(query, callOptions));
    return { items: page.limiters, nextPageToken: page.nextPageToken };
  });
  return {
    address: options.address,
    clientVersion: options.clientVersion,
    roundTrips,
    proxy,
    health: await readHealth(health),
    server,
    web: server === undefined ? { kind: "unknown" } : await reachWeb(webUrl(options.address, server)),
    limiters: limiters.map(limiterFromWire),
    boards: await readBoards(connection.callsTo(BoardService)),
  };
}

type HealthCalls = Pick<Calls<typeof Health>, "unary">;

/** Headers by which proxies give themselves away; the server sends none of them. */
const PROXY_HEADERS = ["via", "server", "x-envoy-upstream-service-time", "x-served-by"];

async function readProxy(health: HealthCalls): Promise<string | undefined> {
  let proxy: string | undefined;
  const onHeader = (headers: Headers) => {
    for (const name of PROXY_HEADERS) {
      const value = headers.get(name);
      if (value !== null) proxy ??= `${name}: ${value}`;
    }
  };
  await health.unary((rpc, callOptions) => rpc.check({}, { ...callOptions, onHeader }));
  return proxy;
}

async function readHealth(health: HealthCalls): Promise<ReadonlyMap<string, boolean>> {
  const { statuses } = await health.unary((rpc, callOptions) => rpc.list({}, callOptions));
  return new Map(Object.entries(statuses).map(([name, { status }]) => [name, status === Status.SERVING]));
}

const ANY_HOST = /^(?:0\.0\.0\.0|\[::\]):/;

/** Where this machine finds the web port; undefined: it cannot know. */
function webUrl(address: string, { web, listens }: ServerFacts & { readonly web: string }): string | undefined {
  const port = /:(\d+)$/.exec(web)?.[1];
  if (port === undefined || port === "0") return undefined;
  const isHere = isLoopback(address);
  // A proxy, or a mapped port, leads elsewhere: then the web port's way is not known.
  const isDirect = address.replace(/^[a-z]+:\/\//, "").endsWith(listens.slice(listens.lastIndexOf(":")));
  if (!isDirect || address.startsWith("https://")) return undefined;
  if (ANY_HOST.test(web)) return `http://${address.replace(/^[a-z]+:\/\//, "").replace(/:\d+$/, "")}:${port}`;
  return isHere || !isLoopback(web) ? `http://${web}` : undefined;
}

async function reachWeb(url: string | undefined): Promise<WebPort> {
  if (url === undefined) return { kind: "unknown" };
  try {
    const response = await fetch(`${url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(WEB_PATIENCE),
    });
    if (response.ok) return { kind: "reached", url };
    return { kind: "unreachable", url, why: `it answers ${response.status}` };
  } catch (error) {
    const { cause, message } = error as Error;
    return { kind: "unreachable", url, why: cause instanceof Error ? cause.message : message };
  }
}
