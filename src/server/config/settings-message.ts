/** The settings of the server as a message: the inverse of `serverSettings`, every default filled in. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Verb } from "../access/rights.ts";
import {
  AccessVerb,
  type AuthSchema,
  type Config,
  LogLevel as ConfigLevel,
  ConfigSchema,
  Durability,
  type JwksSchema,
} from "../gen/ggen/backpressure/config/v1/config_pb.ts";
import type { LogLevel } from "../log.ts";
import type { LeaseDurability } from "../store/row.ts";
import { microsToDuration, msToTimestamp } from "../wire/time-wire.ts";
import type { AuthSettings, KeySource } from "./auth-settings.ts";
import { otlpMessage } from "./otlp-target.ts";
import { addressText, type ServerSettings } from "./settings.ts";

export function settingsMessage(settings: ServerSettings): Config {
  const { listeners, limits, liveness, store, metrics, tls, traces } = settings;
  return create(ConfigSchema, {
    ...(settings.auth && { auth: authMessage(settings.auth) }),
    allowAnonymous: settings.allowAnonymous,
    listeners: {
      grpc: addressText(listeners.grpc),
      web: addressText(listeners.web),
      corsOrigins: [...listeners.corsOrigins],
      corsHeaders: [...listeners.corsHeaders],
      webHosts: [...listeners.webHosts],
    },
    limits: {
      ...limits,
      maxWaiters: settings.maxWaiters,
      maxLimiters: settings.maxLimiters,
      maxBoards: settings.maxBoards,
      maxCommandsPerSession: settings.maxCommandsPerSession,
      maxConnectionsPerAddress: settings.maxConnectionsPerAddress,
    },
    liveness: {
      keepaliveTime: microsToDuration(liveness.keepaliveTime),
      keepaliveTimeout: microsToDuration(liveness.keepaliveTimeout),
      heartbeat: microsToDuration(liveness.heartbeat),
    },
    drain: { timeout: microsToDuration(settings.drainTimeout) },
    workers: settings.workers,
    access: settings.access?.map(({ who, may, limiters, boards, keys, bounds }) => ({
      who: [...who],
      may: may.map((verb) => VERBS[verb]),
      limiters: [...limiters],
      boards: [...boards],
      keys: [...keys],
      ...(bounds && { bounds }),
    })),
    ...(settings.callerBounds && { bounds: settings.callerBounds }),
    logging: { level: LEVELS[settings.logLevel] },
    metrics: {
      maxLimiters: metrics.maxLimiters,
      keys: metrics.keys.map(({ limiter, key }) => ({ limiter, key })),
      listen: metrics.listen === undefined ? "" : addressText(metrics.listen),
      exportInterval: microsToDuration(metrics.exportInterval),
      ...(metrics.otlp && { otlp: otlpMessage(metrics.otlp) }),
    },
    traces: { ratio: traces.ratio, ...(traces.otlp && { otlp: otlpMessage(traces.otlp) }) },
    ...(settings.auditFile !== undefined && { audit: { file: settings.auditFile } }),
    ...(store && {
      store: { folder: store.folder, leases: DURABILITIES[store.leases], maxMegabytes: store.maxMegabytes },
    }),
    ...(tls && { tls: { ...tls, clientCaFile: tls.clientCaFile ?? "", clientCrlFile: tls.clientCrlFile ?? "" } }),
  });
}

const VERBS: Readonly<Record<Verb, AccessVerb>> = {
  acquire: AccessVerb.ACQUIRE,
  observe: AccessVerb.OBSERVE,
  operate: AccessVerb.OPERATE,
};

function authMessage({ tokens, jwt }: AuthSettings): MessageInitShape<typeof AuthSchema> {
  return {
    tokens: tokens.map(({ name, digests, expiresAt, groups, tenant }) => ({
      name,
      sha256: [...digests],
      ...(expiresAt !== undefined && { expires: msToTimestamp(expiresAt) }),
      groups: [...groups],
      tenant,
    })),
    jwt: jwt.map(({ name, issuer, audience, keys, callerClaim, tenantClaim, groupsClaim }) => ({
      name,
      issuer,
      audience,
      jwks: keysMessage(keys),
      caller: callerClaim,
      tenant: tenantClaim,
      groups: groupsClaim,
    })),
  };
}

function keysMessage(keys: KeySource): MessageInitShape<typeof JwksSchema> {
  if (keys.kind === "file") return { file: keys.path };
  return { url: keys.url, caFile: keys.caFile ?? "", bearerFile: keys.bearerFile ?? "" };
}

const LEVELS: Readonly<Record<LogLevel, ConfigLevel>> = {
  debug: ConfigLevel.DEBUG,
  info: ConfigLevel.INFO,
  warn: ConfigLevel.WARN,
  error: ConfigLevel.ERROR,
  // No file says so: only tests do.
  silent: ConfigLevel.UNSPECIFIED,
};

const DURABILITIES: Readonly<Record<LeaseDurability, Durability>> = {
  none: Durability.NONE,
  process: Durability.PROCESS,
  disk: Durability.DISK,
};
