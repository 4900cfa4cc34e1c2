/** The front in this thread: services over the engines' ports, and the transports that carry them. */

import { isDeepStrictEqual } from "node:util";
import type { Caller } from "../access/caller.ts";
import { type AuthenticatorSettings, createAuthenticator } from "../auth/create-authenticator.ts";
import { createFailedAttempts } from "../auth/failed-attempts.ts";
import { worstOf } from "../auth/issuer-keys.ts";
import { hostsOf, type ServerSettings } from "../config/settings.ts";
import type { Log } from "../log.ts";
import type { Scraper } from "../scrape.ts";
import { createOverloads } from "../service/overloads.ts";
import { createRpcTraces, type RpcTraces } from "../service/rpc-traces.ts";
import { createCommandTraces } from "../service/session/command-traces.ts";
import { createCounts } from "../shared/counts.ts";
import type { Tracer } from "../tracing/tracer.ts";
import { createGrpcTransport } from "../transport/grpc/transport.ts";
import { createAddressPlaces } from "../transport/port/address-places.ts";
import type { ConnectionPlaces } from "../transport/port/connection-places.ts";
import { createCallTimes } from "../transport/rpc/call-times.ts";
import { createMetricsPage } from "../transport/web/metrics-page.ts";
import { readPageFiles } from "../transport/web/pages/files.ts";
import { createPages } from "../transport/web/pages/pages.ts";
import { createWebTransport } from "../transport/web/transport.ts";
import type { Front, FrontAddresses, FrontListeners } from "./front.ts";
import { createLoginNotes } from "./login-notes.ts";
import { createServices, type ServicesOptions } from "./services.ts";

export interface LocalFrontOptions extends ServicesOptions {
  readonly log: Log;
  /** Of each port, for its connections. */
  readonly places: { readonly grpc: ConnectionPlaces; readonly web: ConnectionPlaces };
  /** What the web port serves at `/metrics`; undefined: nothing. */
  readonly scraper: Scraper | undefined;
  /** Unset: no spans are made. */
  readonly tracer?: Tracer | undefined;
}

export interface LocalFront extends Front {
  /** `isShared`: other threads listen on the same ports. */
  listen(at: FrontListeners, isShared?: boolean): Promise<FrontAddresses>;
}

export function createLocalFront(options: LocalFrontOptions): LocalFront {
  const { clock, log, places, shared, scraper, tracer, secretKey } = options;
  const { limits, liveness, listeners } = options.state.settings;
  let { tls } = options.state;
  let { maxConnectionsPerAddress } = options.state.settings;
  /** Once they are bound. */
  let bound: FrontAddresses | undefined;
  const traces = tracer && {
    grpc: createRpcTraces({ tracer, port: { isGrpc: true, at: () => bound?.grpc } }),
    web: createRpcTraces({ tracer, port: { isGrpc: false, at: () => bound?.web } }),
  };
  const commandTraces = tracer && createCommandTraces({ tracer, at: () => bound?.grpc });
  const { refused: onRefused } = createOverloads(clock, log);
  const { services, calls, rightsOf, quotas, show, drain } = createServices({ ...options, commandTraces, onRefused });
  const times = createCallTimes(clock);
  let asked = authenticatorSettings(options.state.settings);
  const failures = createFailedAttempts(shared.memory.failures, shared.now);
  const authenticator = createAuthenticator({ settings: asked, secretKey, failures, clock, log });
  const addresses = createAddressPlaces(
    createCounts(shared.memory.addresses, shared.own),
    () => maxConnectionsPerAddress,
  );
  const transport = { limits, liveness, times, authenticator, quotas, addresses, tls, log, clock, onRefused };
  const traced = (spans: RpcTraces | undefined) => ({ spans, services: spans ? services.map(spans.watch) : services });
  const grpc = createGrpcTransport({ ...transport, ...traced(traces?.grpc), places: places.grpc });
  const cors = { origins: listeners.corsOrigins, headers: listeners.corsHeaders };
  const pages = createPages(readPageFiles());
  const mayRead = (caller: Caller) => rightsOf(caller).mayAll("observe");
  const guardedPage = scraper && createMetricsPage({ scraper, clock, log, mayRead });
  const web = createWebTransport({
    ...transport,
    ...traced(traces?.web),
    places: places.web,
    cors,
    hosts: hostsOf(listeners.web, listeners.webHosts),
    pages,
    guardedPage,
    onLogin: createLoginNotes(options),
  });

  return {
    workers: 0,
    async listen(at, isShared) {
      bound = { grpc: await grpc.listen(at.grpc, isShared), web: await web.listen(at.web, isShared) };
      return bound;
    },
    show(next) {
      if (next.tls !== undefined && next.tls.generation !== tls?.generation) {
        grpc.renew(next.tls);
        web.renew(next.tls);
      }
      tls = next.tls;
      ({ maxConnectionsPerAddress } = next.settings);
      const asksNow = authenticatorSettings(next.settings);
      if (!isDeepStrictEqual(asksNow, asked)) authenticator.configure(asksNow);
      asked = asksNow;
      show(next);
    },
    drain,
    callsUnderWay: async () => calls.count,
    figures: async () => ({
      calls: times.read(),
      connections: { grpc: places.grpc.open, web: places.web.open },
      keys: worstOf(authenticator.readKeys()),
      threads: [],
    }),
    sendAway: async () => calls.sendAway(),
    closePorts() {
      grpc.drain();
      web.drain();
    },
    async close() {
      authenticator.close();
      await Promise.all([grpc.close(), web.close()]);
    },
    async abandon() {
      authenticator.close();
      await Promise.all([grpc.destroy(), web.destroy()]);
    },
  };
}

function authenticatorSettings({ auth, tls, allowAnonymous }: ServerSettings): AuthenticatorSettings {
  return { auth, certificates: tls?.clientCaFile !== undefined, allowAnonymous };
}
