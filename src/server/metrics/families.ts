/**
 * Every family of metrics that the server has: its name, type, labels and words. Alerts, dashboards and documentation are compared
 * with this table (`docs/metrics.md`).
 *
 * Labels have few values, whatever clients do: no key, caller, holder, lease or request id is one. The keys of a keyed limiter that
 * the configuration names (`metrics.keys`) are the one exception, in families of their own, so that sums over a limiter count nothing
 * twice.
 */

export type FamilyType = "gauge" | "counter" | "histogram";
export type Unit = "seconds" | "bytes";

export type Label =
  | "limiter"
  | "key"
  | "reason"
  | "end"
  | "outcome"
  | "board"
  | "stage"
  | "port"
  | "thread"
  | "version"
  | "node"
  | "issuer"
  | "rpc_system_name"
  | "rpc_method"
  | "rpc_response_status_code";

export interface Family {
  /** As Prometheus has it: a counter ends in `_total`, a unit stands before that. */
  readonly name: string;
  readonly type: FamilyType;
  readonly unit: Unit | undefined;
  readonly labels: readonly Label[];
  readonly help: string;
  /** As OpenTelemetry's conventions name it, where they do. */
  readonly convention?: string;
}

interface Words {
  readonly unit?: Unit;
  readonly labels?: readonly Label[];
  readonly help: string;
  readonly convention?: string;
}

const LIMITER = { labels: ["limiter"] } as const;
const KEY = { labels: ["limiter", "key"] } as const;
const STAGE = { labels: ["board", "stage"] } as const;
const THREAD = { labels: ["thread"] } as const;
const ISSUER = { labels: ["issuer"] } as const;

export const FAMILIES = {
  // Limiters.
  limiterPermits: gauge("backpressure_limiter_permits", {
    ...LIMITER,
    help: "Permits that the limiter has: max_concurrent, of a keyed limiter over all keys in use. Absent without a concurrency limit.",
  }),
  limiterPermitsInUse: gauge("backpressure_limiter_permits_in_use", {
    ...LIMITER,
    help: "Permits that live leases hold.",
  }),
  limiterWaiters: gauge("backpressure_limiter_waiters", { ...LIMITER, help: "Requests in the queue." }),
  limiterOldestWaiter: gauge("backpressure_limiter_oldest_waiter_seconds", {
    ...LIMITER,
    unit: "seconds",
    help: "How long the oldest waiter has waited; 0 while none waits.",
  }),
  limiterLeases: gauge("backpressure_limiter_leases", { ...LIMITER, help: "Live leases." }),
  limiterOrphanedLeases: gauge("backpressure_limiter_orphaned_leases", {
    ...LIMITER,
    help: "Live leases whose connection is lost: their ttl runs.",
  }),
  limiterKeys: gauge("backpressure_limiter_keys", {
    ...LIMITER,
    help: "Keys in use, of a keyed limiter. Absent without keys.",
  }),
  limiterTokensAvailable: gauge("backpressure_limiter_tokens_available", {
    ...LIMITER,
    help: "Tokens in the bucket. Absent without a rate limit, and of a keyed limiter, which has a bucket for each key.",
  }),
  limiterPaused: gauge("backpressure_limiter_paused", {
    ...LIMITER,
    help: "1 while an operator has paused the limiter, else 0.",
  }),
  requests: counter("backpressure_requests_total", {
    ...LIMITER,
    help: "Claims on the limiter that it could ever grant, whatever became of them; a retry under the same request id counts once.",
  }),
  grants: counter("backpressure_grants_total", { ...LIMITER, help: "Claims that were granted." }),
  grantedTokens: counter("backpressure_granted_tokens_total", {
    ...LIMITER,
    help: "Tokens that grants have taken from the bucket.",
  }),
  refusals: counter("backpressure_refusals_total", {
    labels: ["limiter", "reason"],
    help: "Requests that were refused because of the limiter, by reason; waiters whose time was over count, too.",
  }),
  leaseEnds: counter("backpressure_lease_ends_total", {
    labels: ["limiter", "end"],
    help: "Leases that have ended: released, cancelled, expired, revoked or deleted.",
  }),
  releases: counter("backpressure_releases_total", {
    labels: ["limiter", "outcome"],
    help: "Leases that were released, by what their holders say of the work: success, overloaded or ignored.",
  }),
  wait: histogram("backpressure_wait_seconds", {
    ...LIMITER,
    unit: "seconds",
    help: "From the arrival of a request to its grant.",
  }),
  hold: histogram("backpressure_hold_seconds", {
    ...LIMITER,
    unit: "seconds",
    help: "From the grant of permits to the end of their lease.",
  }),

  // Keys that the configuration names.
  keyPermitsInUse: gauge("backpressure_limiter_key_permits_in_use", {
    ...KEY,
    help: "Permits that live leases hold of one key that metrics.keys names.",
  }),
  keyWaiters: gauge("backpressure_limiter_key_waiters", {
    ...KEY,
    help: "Requests in the queue of one key that metrics.keys names.",
  }),
  keyOldestWaiter: gauge("backpressure_limiter_key_oldest_waiter_seconds", {
    ...KEY,
    unit: "seconds",
    help: "How long the oldest waiter of one key that metrics.keys names has waited; 0 while none waits.",
  }),
  keyTokensAvailable: gauge("backpressure_limiter_key_tokens_available", {
    ...KEY,
    help: "Tokens in the bucket of one key that metrics.keys names. Absent without a rate limit.",
  }),

  // Boards.
  boardStageCards: gauge("backpressure_board_stage_cards", { ...STAGE, help: "Cards in the stage." }),
  boardStageLimit: gauge("backpressure_board_stage_limit", {
    ...STAGE,
    help: "The wip_limit of the stage. Absent without one.",
  }),
  boardStageBlocked: gauge("backpressure_board_stage_blocked", { ...STAGE, help: "Blocked cards in the stage." }),
  boardPulls: counter("backpressure_board_pulls_total", {
    ...STAGE,
    help: "Cards that were pulled into the stage, by a worker or by the stage itself, or taken up where they stood in it.",
  }),
  boardCycle: histogram("backpressure_board_cycle_seconds", {
    ...STAGE,
    unit: "seconds",
    help: "How long cards that have left the stage were in it.",
  }),
  boardLead: histogram("backpressure_board_lead_seconds", {
    labels: ["board"],
    unit: "seconds",
    help: "How long completed cards took, from their addition to the last stage.",
  }),

  // Calls, and what carries them.
  rpcDuration: histogram("rpc_server_call_duration_seconds", {
    labels: ["rpc_system_name", "rpc_method", "rpc_response_status_code"],
    unit: "seconds",
    help: "Calls that have ended, from when their method was asked to their status; of a stream that is its whole life. Those that are refused before, from their arrival; those of no method that there is, as _OTHER.",
    convention: "rpc.server.call.duration",
  }),
  streams: gauge("backpressure_streams", {
    labels: ["rpc_method"],
    help: "Streaming calls under way: those that wait, hold, watch, or carry a session.",
  }),
  connections: gauge("backpressure_connections", { labels: ["port"], help: "Connections open at the port." }),

  // What is kept.
  storeCommit: histogram("backpressure_store_commit_seconds", {
    unit: "seconds",
    help: "Commits to the data folder, from when the thread that writes is asked to its answer. Absent without a data folder.",
  }),
  storeBytes: gauge("backpressure_store_bytes", {
    unit: "bytes",
    help: "Size of the data folder's database and its log. Absent without a data folder.",
  }),
  storeFailed: gauge("backpressure_store_failed", {
    help: "1 while nothing can be kept and so nothing is granted, else 0.",
  }),

  // The server.
  serving: gauge("backpressure_serving", { help: "1 while health says SERVING, else 0." }),
  // Its unit does not end its name, so it declares none.
  learning: gauge("backpressure_learning_seconds_remaining", {
    help: "Seconds until the server grants again after a start that may not know every lease; else 0.",
  }),
  draining: gauge("backpressure_draining", { help: "1 while the server lets leases finish before it stops, else 0." }),
  eventLoopDelay: histogram("backpressure_event_loop_delay_seconds", {
    ...THREAD,
    unit: "seconds",
    help: "How late a timer of 20 ms comes, of the thread that decides (main) and of each transport worker.",
  }),
  configLastReload: gauge("backpressure_config_last_reload_timestamp_seconds", {
    unit: "seconds",
    help: "When the configuration that is in force was taken up: at the start, or by the last reload that was valid.",
  }),
  configLastReloadSuccessful: gauge("backpressure_config_last_reload_successful", {
    help: "1 while the configuration file that was read last is in force, 0 while it could not be taken up.",
  }),
  configReloadFailures: counter("backpressure_config_reload_failures_total", {
    help: "Configuration files that were not taken up, since they could not be read or are not valid.",
  }),
  tlsNotAfter: gauge("backpressure_tls_certificate_not_after_timestamp_seconds", {
    unit: "seconds",
    help: "Until when the certificate of tls.cert_file that is in force is good. Absent without TLS.",
  }),
  tlsLastReloadSuccessful: gauge("backpressure_tls_last_reload_successful", {
    help: "1 while the files of TLS that were read last are in force, 0 while they cannot be used. Absent without TLS.",
  }),
  tlsReloadFailures: counter("backpressure_tls_reload_failures_total", {
    help: "Changes of the files of TLS that were not taken up, since the files cannot be used. Absent without TLS.",
  }),
  issuerKeysLastLoadSuccessful: gauge("backpressure_issuer_keys_last_load_successful", {
    ...ISSUER,
    help: "1 while the keys of the issuer of tokens could be loaded when they were asked for last, 0 while they cannot be, by any thread. Absent without issuers.",
  }),
  issuerKeysLoaded: gauge("backpressure_issuer_keys_loaded_timestamp_seconds", {
    ...ISSUER,
    unit: "seconds",
    help: "When the keys of the issuer that count were loaded, by the thread whose are oldest; they count for a day. Absent while a thread has none.",
  }),
  buildInfo: gauge("backpressure_build_info", {
    labels: ["version", "node"],
    help: "Always 1: the version of the server, and of Node.",
  }),

  // The process.
  processCpu: counter("backpressure_process_cpu_seconds_total", {
    unit: "seconds",
    help: "CPU time of the process, all threads, user and system.",
  }),
  processMemory: gauge("backpressure_process_resident_memory_bytes", {
    unit: "bytes",
    help: "Resident memory of the process.",
  }),
  processStart: gauge("backpressure_process_start_time_seconds", {
    unit: "seconds",
    help: "When the process was started, in seconds since 1970.",
  }),
  processOpenFds: gauge("backpressure_process_open_fds", {
    help: "Open file descriptors. Absent where the system does not say.",
  }),
  processMaxFds: gauge("backpressure_process_max_fds", {
    help: "The most file descriptors that may be open. Absent where the system does not say.",
  }),
  heapUsed: gauge("backpressure_nodejs_heap_size_used_bytes", {
    ...THREAD,
    unit: "bytes",
    help: "Heap of JavaScript in use, by thread.",
  }),
  heapTotal: gauge("backpressure_nodejs_heap_size_total_bytes", {
    ...THREAD,
    unit: "bytes",
    help: "Heap of JavaScript that is reserved, by thread.",
  }),
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyId = keyof typeof FAMILIES;

function gauge(name: string, words: Words): Family {
  return family("gauge", name, words);
}

function counter(name: `${string}_total`, words: Words): Family {
  return family("counter", name, words);
}

function histogram(name: string, words: Words & { readonly unit: Unit }): Family {
  return family("histogram", name, words);
}

function family(type: FamilyType, name: string, { unit, labels = [], help, convention }: Words): Family {
  return { name, type, unit, labels, help, ...(convention !== undefined && { convention }) };
}
