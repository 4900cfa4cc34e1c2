/** Rules between fields of a configuration, each of which is valid by itself. */

import { unknownPlaceholder } from "../access/pattern.ts";
import type { Config } from "../gen/ggen/backpressure/config/v1/config_pb.ts";
import { readHost } from "../wire/web-host.ts";
import { readOrigin } from "../wire/web-origin.ts";
import type { Complaints } from "./complaints.ts";
import { checkOtlpTarget } from "./otlp-target.ts";
import type { Address, ServerSettings } from "./settings.ts";
import { quote } from "./yaml/value.ts";

export function checkTogether(config: Config, settings: ServerSettings, complaints: Complaints): void {
  checkAddresses(settings, complaints);
  checkOrigins(settings, complaints);
  checkHosts(settings, complaints);
  checkStageLimiters(config, complaints);
  checkTls(settings, complaints);
  checkAccess(config, complaints);
  checkAuth(settings, complaints);
  checkWhoMayCall(settings, complaints);
  checkOtlpTarget("traces.otlp", config.traces?.otlp, complaints);
  checkOtlpTarget("metrics.otlp", config.metrics?.otlp, complaints);
  noteIneffective(settings, complaints);
}

/** Where only processes of this machine can call. */
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|0:0:0:0:0:0:0:1)$/i;

/** Elsewhere than on loopback the file has to say who may call, be it everybody. */
function checkWhoMayCall(settings: ServerSettings, complaints: Complaints): void {
  if (saysWhoMayCall(settings) || settings.allowAnonymous) return;
  for (const name of ["grpc", "web"] as const) {
    const field = `listeners.${name}`;
    const { host } = settings.listeners[name];
    if (complaints.concern(field) || isOnLoopback(host)) continue;
    complaints.fault(
      field,
      `must be on loopback, such as 127.0.0.1, until the file says who may call: auth, tls.client_ca_file, or allow_anonymous: true for everybody, found ${host}`,
    );
  }
}

export function isOnLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** Whether callers are asked who they are. */
export function saysWhoMayCall({ auth, tls }: ServerSettings): boolean {
  return auth !== undefined || tls?.clientCaFile !== undefined;
}

function checkAuth({ auth, tls, allowAnonymous }: ServerSettings, complaints: Complaints): void {
  const namesNobody = auth !== undefined && auth.tokens.length + auth.jwt.length === 0;
  if (namesNobody && tls?.clientCaFile === undefined && !allowAnonymous && !complaints.concern("auth")) {
    complaints.fault(
      "auth",
      "must name somebody who may call: tokens, jwt, or tls.client_ca_file beside it, or allow_anonymous: true for everybody",
    );
  }
  checkOwnNames("auth.tokens", auth?.tokens ?? [], complaints);
  checkOwnNames("auth.jwt", auth?.jwt ?? [], complaints);
  for (const [index, { keys }] of (auth?.jwt ?? []).entries()) {
    const field = `auth.jwt[${index}].jwks`;
    if (keys.kind === "file" || complaints.concern(field)) continue;
    const url = URL.parse(keys.url);
    const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isOnLoopback(url.hostname));
    if (!isSafe)
      complaints.fault(
        field,
        "must have a file, or a url by https, since whoever changes the keys on the way may call as anybody",
      );
  }
}

function checkOwnNames(list: string, entries: readonly { readonly name: string }[], complaints: Complaints): void {
  const names = new Set<string>();
  for (const [index, { name }] of entries.entries()) {
    if (names.has(name)) complaints.fault(`${list}[${index}].name`, "must be a name of its own");
    names.add(name);
  }
}

function checkAddresses({ listeners, metrics }: ServerSettings, complaints: Complaints): void {
  const { grpc, web } = listeners;
  if (complaints.concern("listeners")) return;
  checkDiffers({ field: "listeners.web", address: web }, { field: "listeners.grpc", address: grpc }, complaints);
  if (metrics.listen === undefined || complaints.concern("metrics.listen")) return;
  const own = { field: "metrics.listen", address: metrics.listen };
  checkDiffers(own, { field: "listeners.grpc", address: grpc }, complaints);
  checkDiffers(own, { field: "listeners.web", address: web }, complaints);
}

interface ListenerField {
  readonly field: string;
  readonly address: Address;
}

function checkDiffers({ field, address }: ListenerField, other: ListenerField, complaints: Complaints): void {
  const { host, port } = other.address;
  if (port === 0 || address.port !== port || address.host !== host) return;
  complaints.fault(field, `must differ from ${other.field}, which is port ${port} of ${host} too`);
}

function checkTls({ tls }: ServerSettings, complaints: Complaints): void {
  if (tls?.clientCrlFile === undefined || tls.clientCaFile !== undefined) return;
  complaints.fault(
    "tls.client_crl_file",
    "has no effect without tls.client_ca_file, the authority of these certificates",
  );
}

/** Reports stages with a keyed limiter: the claim of a stage's puller has no key. */
function checkStageLimiters({ boards, limiters }: Config, complaints: Complaints): void {
  const declared = new Map(limiters.map((limiter) => [limiter.name, limiter]));
  for (const [at, board] of boards.entries()) {
    for (const [index, { limiter: name }] of board.stages.entries()) {
      const field = `boards[${at}].stages[${index}].limiter`;
      const limiter = declared.get(name);
      if (limiter?.keyed) complaints.fault(field, `must be a limiter without keys, and ${quote(name)} is keyed`);
      else if (name !== "" && limiter === undefined) {
        const message = `names a limiter that the file does not declare: until ${quote(name)} is made by RPC, the stage cannot be pulled into`;
        complaints.note(field, message);
      }
    }
  }
}

/** Reports patterns of the access list that stand for nothing, and notes entries that allow nothing. */
function checkAccess({ access }: Config, complaints: Complaints): void {
  for (const [at, { who, limiters, boards, keys }] of access.entries()) {
    for (const [index, caller] of who.entries()) {
      const field = `access[${at}].who[${index}]`;
      if (/\$\{/.test(caller)) complaints.fault(field, `names callers, and has no \${…}, found ${quote(caller)}`);
    }
    for (const [name, patterns] of Object.entries({ limiters, boards, keys })) {
      for (const [index, pattern] of patterns.entries()) {
        const unknown = unknownPlaceholder(pattern);
        if (unknown === undefined) continue;
        const field = `access[${at}].${name}[${index}]`;
        complaints.fault(
          field,
          `must have no other than \${caller}, \${tenant} and \${claim.NAME}, found ${quote(unknown)}`,
        );
      }
    }
    if (limiters.length + boards.length === 0) {
      complaints.note(`access[${at}]`, "allows nothing: it names neither limiters nor boards");
    } else if (keys.length > 0 && limiters.length === 0) {
      complaints.note(`access[${at}].keys`, "has no effect without limiters");
    }
  }
}

/** Notes fields that are given but have no effect beside the others. */
function noteIneffective({ store, listeners, traces, metrics, tls }: ServerSettings, complaints: Complaints): void {
  if (store === undefined) {
    for (const field of ["store.leases", "store.max_megabytes"]) {
      complaints.note(field, "has no effect without store.folder: nothing is kept");
    }
  }
  if (metrics.otlp === undefined) {
    complaints.note("metrics.export_interval", "has no effect without metrics.otlp: metrics are sent nowhere");
  }
  if (traces.otlp === undefined) {
    complaints.note("traces.ratio", "has no effect without traces.otlp: no spans are made");
  }
  if (listeners.corsOrigins.length === 0) {
    const message = "has no effect without listeners.cors_origins: no page of another origin may call the web port";
    complaints.note("listeners.cors_headers", message);
  }
  if (tls !== undefined && metrics.listen === undefined) {
    complaints.note("listeners.web_hosts", "has no effect with tls: the certificate says which names are the server's");
  }
}

/** Reports origins that no page would match. */
function checkOrigins({ listeners: { corsOrigins } }: ServerSettings, complaints: Complaints): void {
  for (const [index, origin] of corsOrigins.entries()) {
    const field = `listeners.cors_origins[${index}]`;
    if (origin === "*" || complaints.concern(field)) continue;
    const reading = readOrigin(origin);
    if (reading.kind === "invalid") complaints.fault(field, `must be ${reading.expected}, found ${quote(origin)}`);
  }
}

/** Reports names that no browser would send. */
function checkHosts({ listeners: { webHosts } }: ServerSettings, complaints: Complaints): void {
  for (const [index, host] of webHosts.entries()) {
    const field = `listeners.web_hosts[${index}]`;
    if (host === "*" || complaints.concern(field)) continue;
    const reading = readHost(host);
    if (reading.kind === "invalid") complaints.fault(field, `must be ${reading.expected}, found ${quote(host)}`);
  }
}
