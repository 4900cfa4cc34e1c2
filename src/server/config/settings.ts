/** What the configuration says about the server itself, every default filled in. The defaults of `config.proto`. */

import { availableParallelism } from "node:os";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { AccessEntry } from "../access/access-list.ts";
import type { Bounds, Verb } from "../access/rights.ts";
import {
  AccessVerb,
  type Config,
  LogLevel as ConfigLevel,
  Durability,
  type AccessEntry as WireAccessEntry,
  type Bounds as WireBounds,
} from "../gen/ggen/backpressure/config/v1/config_pb.ts";
import type { LogLevel } from "../log.ts";
import type { LeaseDurability } from "../store/row.ts";
import { durationToMicros } from "../wire/time-wire.ts";
import { type AuthSettings, authSettings } from "./auth-settings.ts";
import { type OtlpSettings, otlpSettings } from "./otlp-target.ts";

export interface ServerSettings {
  readonly listeners: Listeners;
  readonly limits: Limits;
  readonly liveness: Liveness;
  /** µs that leases may take to finish when the server stops. */
  readonly drainTimeout: number;
  /** Waiters at once, over all limiters. */
  readonly maxWaiters: number;
  /** Limiters and boards that exist beside those of the file. */
  readonly maxLimiters: number;
  readonly maxBoards: number;
  /** How much one caller may have at once; undefined: any amount. */
  readonly callerBounds: Bounds | undefined;
  /** Who may do what; undefined: every caller may everything. */
  readonly access: readonly AccessEntry[] | undefined;
  /** Connections from one address; undefined: any number. */
  readonly maxConnectionsPerAddress: number | undefined;
  /** Commands without a last answer. */
  readonly maxCommandsPerSession: number;
  readonly logLevel: LogLevel;
  /** Threads that carry connections; 0: the main thread does. */
  readonly workers: number;
  /** The file that operators' acts are written to; undefined: none. */
  readonly auditFile: string | undefined;
  /** Undefined: nothing is kept. */
  readonly store: StoreSettings | undefined;
  readonly metrics: MetricsSettings;
  /** Undefined: both ports speak plain text. */
  readonly tls: TlsFiles | undefined;
  /** Undefined: the file does not say who may call. */
  readonly auth: AuthSettings | undefined;
  /** Whether the file says that a call without a credential is let through. */
  readonly allowAnonymous: boolean;
  readonly traces: TraceSettings;
}

export interface MetricsSettings {
  /** Limiters with series of their own. */
  readonly maxLimiters: number;
  /** Keys with series of their own. */
  readonly keys: readonly { readonly limiter: string; readonly key: string }[];
  /** Undefined: the web port serves them. */
  readonly listen: Address | undefined;
  /** Undefined: they are sent nowhere. */
  readonly otlp: OtlpSettings | undefined;
  /** µs. */
  readonly exportInterval: number;
}

/** Where the files of TLS are. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Undefined: clients are asked for no certificate. */
  readonly clientCaFile: string | undefined;
  readonly clientCrlFile: string | undefined;
}

export interface TraceSettings {
  /** Undefined: no spans are made. */
  readonly otlp: OtlpSettings | undefined;
  /** Of calls that bring no `traceparent`, 0 to 1. */
  readonly ratio: number;
}

export interface StoreSettings {
  readonly folder: string;
  readonly leases: LeaseDurability;
  readonly maxMegabytes: number;
}

interface Listeners {
  readonly grpc: Address;
  readonly web: Address;
  /** Origins of the pages that may call the web port; `*`: any. */
  readonly corsOrigins: readonly string[];
  /** Request headers that those pages may send beside the usual ones; `*`: any. */
  readonly corsHeaders: readonly string[];
  /** Names by which browsers reach the web port in plain text; `*`: any. */
  readonly webHosts: readonly string[];
}

export interface Address {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

interface Limits {
  /** Bytes. */
  readonly maxMessageBytes: number;
  readonly maxMetadataBytes: number;
  readonly maxStreamsPerConnection: number;
  /** On each port. */
  readonly maxConnections: number;
}

interface Liveness {
  /** µs. */
  readonly keepaliveTime: number;
  readonly keepaliveTimeout: number;
  readonly heartbeat: number;
}

const SECOND = 1_000_000;

/** The settings of a configuration that keeps the contract's rules. */
export function serverSettings({
  listeners,
  limits,
  liveness,
  drain,
  logging,
  store,
  workers,
  metrics,
  tls,
  access,
  bounds,
  auth,
  allowAnonymous,
  traces,
  audit,
}: Config): ServerSettings {
  return {
    listeners: {
      grpc: parseAddress(listeners?.grpc || "127.0.0.1:50051"),
      web: parseAddress(listeners?.web || "127.0.0.1:8080"),
      corsOrigins: listeners?.corsOrigins ?? [],
      corsHeaders: listeners?.corsHeaders ?? [],
      webHosts: listeners?.webHosts ?? [],
    },
    limits: {
      maxMessageBytes: limits?.maxMessageBytes ?? 1 << 20,
      maxMetadataBytes: limits?.maxMetadataBytes ?? 16 << 10,
      maxStreamsPerConnection: limits?.maxStreamsPerConnection ?? 1_000,
      maxConnections: limits?.maxConnections ?? 10_000,
    },
    liveness: {
      keepaliveTime: micros(liveness?.keepaliveTime, 10 * SECOND),
      keepaliveTimeout: micros(liveness?.keepaliveTimeout, 5 * SECOND),
      heartbeat: micros(liveness?.heartbeat, 5 * SECOND),
    },
    drainTimeout: micros(drain?.timeout, 10 * SECOND),
    maxWaiters: limits?.maxWaiters ?? 100_000,
    maxLimiters: limits?.maxLimiters ?? 10_000,
    maxBoards: limits?.maxBoards ?? 1_000,
    access: access.length === 0 ? undefined : access.map(accessEntryOf),
    callerBounds: bounds && callerBoundsOf(bounds),
    maxConnectionsPerAddress: limits?.maxConnectionsPerAddress,
    maxCommandsPerSession: limits?.maxCommandsPerSession ?? 10_000,
    logLevel: LEVELS[logging?.level ?? ConfigLevel.UNSPECIFIED] ?? "info",
    workers: workers ?? defaultWorkers(availableParallelism()),
    auditFile: audit?.file || undefined,
    store: store?.folder
      ? {
          folder: store.folder,
          leases: DURABILITIES[store.leases] ?? "process",
          maxMegabytes: store.maxMegabytes ?? 1_024,
        }
      : undefined,
    metrics: {
      maxLimiters: metrics?.maxLimiters ?? 1_000,
      keys: (metrics?.keys ?? []).map(({ limiter, key }) => ({ limiter, key })),
      listen: metrics?.listen ? parseAddress(metrics.listen) : undefined,
      otlp: otlpSettings(metrics?.otlp),
      exportInterval: micros(metrics?.exportInterval, 60 * SECOND),
    },
    tls: tls && {
      certFile: tls.certFile,
      keyFile: tls.keyFile,
      clientCaFile: tls.clientCaFile || undefined,
      clientCrlFile: tls.clientCrlFile || undefined,
    },
    auth: auth && authSettings(auth),
    allowAnonymous,
    traces: { otlp: otlpSettings(traces?.otlp), ratio: traces?.ratio ?? 0 },
  };
}

function accessEntryOf({ who, may, limiters, boards, keys, bounds }: WireAccessEntry): AccessEntry {
  const verbs = may.flatMap((verb) => VERBS[verb] ?? []);
  return { who, may: verbs, limiters, boards, keys, bounds: bounds && callerBoundsOf(bounds) };
}

/** Returns bounds with their defaults. */
function callerBoundsOf({ maxWaiters, maxLeases, maxConnections, maxRequestsPerSecond }: WireBounds): Bounds {
  return { maxWaiters: maxWaiters ?? 1_000, maxLeases: maxLeases ?? 10_000, maxConnections, maxRequestsPerSecond };
}

/** More than so many are for a server that was measured: each takes memory, and all of them wait for the one that decides. */
const MOST_BY_DEFAULT = 8;

/** Returns how many threads carry connections on a machine of so many cores, where the file does not say. */
export function defaultWorkers(cores: number): number {
  return Math.min(MOST_BY_DEFAULT, Math.max(0, cores - 1));
}

/** The fields, by their paths in the file, whose change takes a restart of a server that runs with other settings. */
export function restartFields(running: ServerSettings, next: ServerSettings): readonly string[] {
  return Object.entries(RESTART_FIELDS)
    .filter(([, read]) => JSON.stringify(read(running)) !== JSON.stringify(read(next)))
    .map(([field]) => field);
}

type Read = (settings: ServerSettings) => unknown;

const RESTART_FIELDS: Readonly<Record<string, Read>> = {
  "listeners.grpc": ({ listeners }) => listeners.grpc,
  "listeners.web": ({ listeners }) => listeners.web,
  "listeners.cors_origins": ({ listeners }) => listeners.corsOrigins,
  "listeners.cors_headers": ({ listeners }) => listeners.corsHeaders,
  "listeners.web_hosts": ({ listeners }) => listeners.webHosts,
  "limits.max_message_bytes": ({ limits }) => limits.maxMessageBytes,
  "limits.max_metadata_bytes": ({ limits }) => limits.maxMetadataBytes,
  "limits.max_streams_per_connection": ({ limits }) => limits.maxStreamsPerConnection,
  "limits.max_connections": ({ limits }) => limits.maxConnections,
  "store.folder": ({ store }) => store?.folder,
  "store.leases": ({ store }) => store?.leases,
  "store.max_megabytes": ({ store }) => store?.maxMegabytes,
  "tls.cert_file": ({ tls }) => tls?.certFile,
  "tls.key_file": ({ tls }) => tls?.keyFile,
  "tls.client_ca_file": ({ tls }) => tls?.clientCaFile,
  "tls.client_crl_file": ({ tls }) => tls?.clientCrlFile,
  "liveness.keepalive_time": ({ liveness }) => liveness.keepaliveTime,
  "liveness.keepalive_timeout": ({ liveness }) => liveness.keepaliveTimeout,
  "liveness.heartbeat": ({ liveness }) => liveness.heartbeat,
  "audit.file": ({ auditFile }) => auditFile,
  workers: ({ workers }) => workers,
  "metrics.listen": ({ metrics }) => metrics.listen,
  "metrics.otlp": ({ metrics }) => metrics.otlp,
  "metrics.export_interval": ({ metrics }) => metrics.exportInterval,
  "traces.otlp": ({ traces }) => traces.otlp,
};

const LIVE_FIELDS: Readonly<Record<string, Read>> = {
  "limits.max_waiters": ({ maxWaiters }) => maxWaiters,
  "limits.max_limiters": ({ maxLimiters }) => maxLimiters,
  "limits.max_boards": ({ maxBoards }) => maxBoards,
  "limits.max_connections_per_address": ({ maxConnectionsPerAddress }) => maxConnectionsPerAddress,
  "limits.max_commands_per_session": ({ maxCommandsPerSession }) => maxCommandsPerSession,
  access: ({ access }) => access,
  "bounds.max_waiters": ({ callerBounds }) => callerBounds?.maxWaiters,
  "bounds.max_leases": ({ callerBounds }) => callerBounds?.maxLeases,
  "bounds.max_connections": ({ callerBounds }) => callerBounds?.maxConnections,
  "bounds.max_requests_per_second": ({ callerBounds }) => callerBounds?.maxRequestsPerSecond,
  "drain.timeout": ({ drainTimeout }) => drainTimeout,
  "logging.level": ({ logLevel }) => logLevel,
  "metrics.max_limiters": ({ metrics }) => metrics.maxLimiters,
  "metrics.keys": ({ metrics }) => metrics.keys,
  "auth.tokens": ({ auth }) => auth?.tokens,
  "auth.jwt": ({ auth }) => auth?.jwt,
  allow_anonymous: ({ allowAnonymous }) => allowAnonymous,
  "traces.ratio": ({ traces }) => traces.ratio,
};

/** The paths of all fields of the file that are settings of the server, and whether a change takes effect at once. */
export const SETTING_FIELDS: ReadonlyMap<string, { readonly live: boolean }> = new Map(
  Object.keys({ ...RESTART_FIELDS, ...LIVE_FIELDS }).map((field) => [field, { live: field in LIVE_FIELDS }]),
);

/** Fields whose default follows from the machine: the server and a reader of its file may have different ones. */
export const MACHINE_FIELDS: ReadonlySet<string> = new Set(["workers"]);

/** The settings of a server that runs with `running` once it has taken up `next`: what needs a restart stays. */
export function settingsInForce(running: ServerSettings, next: ServerSettings): ServerSettings {
  const { drainTimeout, maxWaiters, maxLimiters, maxBoards, maxCommandsPerSession, logLevel, ...rest } = next;
  const { access, callerBounds, maxConnectionsPerAddress } = rest;
  const ofCallers = { access, callerBounds, maxConnectionsPerAddress };
  const bounds = { maxWaiters, maxLimiters, maxBoards, maxCommandsPerSession, ...ofCallers };
  const metrics = { ...running.metrics, maxLimiters: next.metrics.maxLimiters, keys: next.metrics.keys };
  const { auth, allowAnonymous } = next;
  const traces = { ...running.traces, ratio: next.traces.ratio };
  return { ...running, ...bounds, drainTimeout, logLevel, metrics, auth, allowAnonymous, traces };
}

const VERBS: Readonly<Partial<Record<AccessVerb, Verb>>> = {
  [AccessVerb.ACQUIRE]: "acquire",
  [AccessVerb.OBSERVE]: "observe",
  [AccessVerb.OPERATE]: "operate",
};

const DURABILITIES: Readonly<Partial<Record<Durability, LeaseDurability>>> = {
  [Durability.NONE]: "none",
  [Durability.PROCESS]: "process",
  [Durability.DISK]: "disk",
};

const LEVELS: Readonly<Partial<Record<ConfigLevel, LogLevel>>> = {
  [ConfigLevel.DEBUG]: "debug",
  [ConfigLevel.INFO]: "info",
  [ConfigLevel.WARN]: "warn",
  [ConfigLevel.ERROR]: "error",
};

/** Returns `host:port`, or `[host]:port` of IPv6, as clients and listeners read it. */
export function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Returns the names by which browsers reach an address: its own, and those that are listed. */
export function hostsOf({ host }: Address, listed: readonly string[]): readonly string[] {
  return [host, ...listed];
}

/** Returns the URL of an address; there the zone of an IPv6 address stands behind `%25` (RFC 6874). */
export function urlText(address: Address, scheme: "http" | "https" = "http"): string {
  return `${scheme}://${addressText(address).replace("%", "%25")}`;
}

/** `host:port` that has passed the contract's rule. */
function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replaceAll(/[[\]]/g, "");
  return { host, port: Number(text.slice(colon + 1)) };
}

function micros(duration: Duration | undefined, fallback: number): number {
  return duration === undefined ? fallback : durationToMicros(duration);
}
