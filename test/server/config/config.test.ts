import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { type ConfigOrigin, type LoadedConfig, loadConfig, parseConfig } from "../../../src/server/config/config.ts";
import { readEnvironment } from "../../../src/server/config/environment.ts";
import { formatProblem } from "../../../src/server/config/problem.ts";
import { defaultWorkers } from "../../../src/server/config/settings.ts";
import { limiterOf, rateOf } from "../../support/limiter-config.ts";

const SECOND = 1_000_000;
const FILE: ConfigOrigin = { path: "b.yaml", overrides: [] };

function loaded(text: string, origin = FILE): LoadedConfig {
  const reading = parseConfig(text, origin);
  if (reading.kind === "invalid") throw new Error(reading.problems.map(formatProblem).join("\n"));
  return reading;
}

function problems(text: string, origin = FILE): readonly string[] {
  const reading = parseConfig(text, origin);
  return reading.kind === "invalid" ? reading.problems.map(formatProblem) : [];
}

const DEFAULTS = {
  listeners: {
    grpc: { host: "127.0.0.1", port: 50051 },
    web: { host: "127.0.0.1", port: 8080 },
    corsOrigins: [],
    corsHeaders: [],
    webHosts: [],
  },
  limits: {
    maxMessageBytes: 1_048_576,
    maxMetadataBytes: 16_384,
    maxStreamsPerConnection: 1_000,
    maxConnections: 10_000,
  },
  liveness: { keepaliveTime: 10 * SECOND, keepaliveTimeout: 5 * SECOND, heartbeat: 5 * SECOND },
  drainTimeout: 10 * SECOND,
  maxWaiters: 100_000,
  maxLimiters: 10_000,
  maxBoards: 1_000,
  maxCommandsPerSession: 10_000,
  logLevel: "info",
  allowAnonymous: false,
  workers: defaultWorkers(availableParallelism()),
  metrics: { maxLimiters: 1_000, keys: [], listen: undefined, otlp: undefined, exportInterval: 60 * SECOND },
  traces: { otlp: undefined, ratio: 0 },
};

describe("a configuration", () => {
  it.each([
    ["no text", ""],
    ["comments", "# nothing\n\n"],
    ["sections of which all is commented out", "listeners:\n  # grpc: 1\nlimits:\nlimiters:\n"],
    ["an empty mapping", "{}"],
    ["documents without anything", "---\n---\n...\n"],
  ])("of %s has every default and no limiter", (_what, text) => {
    const { settings, limiters } = loaded(text);
    expect(settings).toEqual(DEFAULTS);
    expect(limiters).toEqual([]);
  });

  it("says each setting in its own words", () => {
    const { settings } = loaded(`
listeners:
  grpc: "[::1]:0"
  web: web.internal:80
  cors_origins: ["*", "http://localhost:3000"]
  cors_headers: [X-Request-Id]
limits:
  max_message_bytes: 1024
  max_metadata_bytes: 65536
  max_streams_per_connection: 1
  max_connections: 0x10
  max_waiters: 1e3
  max_limiters: 0
  max_boards: 7
  max_commands_per_session: 8
liveness: {keepalive_time: 1h, keepalive_timeout: 250ms, heartbeat: 1m30s}
drain: {timeout: 0}
logging: {level: warn}
workers: 3
allow_anonymous: true
metrics: {max_limiters: 0, keys: [{limiter: tenants, key: acme}], listen: "[::]:9464", otlp: {url: "http://c:4318"}, export_interval: 10s}
traces: {ratio: 0.25, otlp: {url: "https://a/b", headers: [{name: X-Key, value: v}, {name: y, value_file: f}]}}
`);
    expect(settings).toEqual({
      listeners: {
        grpc: { host: "::1", port: 0 },
        web: { host: "web.internal", port: 80 },
        corsOrigins: ["*", "http://localhost:3000"],
        corsHeaders: ["X-Request-Id"],
        webHosts: [],
      },
      limits: {
        maxMessageBytes: 1_024,
        maxMetadataBytes: 65_536,
        maxStreamsPerConnection: 1,
        maxConnections: 16,
      },
      liveness: { keepaliveTime: 3_600 * SECOND, keepaliveTimeout: 250_000, heartbeat: 90 * SECOND },
      drainTimeout: 0,
      maxWaiters: 1_000,
      maxLimiters: 0,
      maxBoards: 7,
      maxCommandsPerSession: 8,
      logLevel: "warn",
      workers: 3,
      allowAnonymous: true,
      metrics: {
        maxLimiters: 0,
        keys: [{ limiter: "tenants", key: "acme" }],
        listen: { host: "::", port: 9_464 },
        otlp: { url: "http://c:4318", headers: [] },
        exportInterval: 10 * SECOND,
      },
      traces: {
        ratio: 0.25,
        otlp: {
          url: "https://a/b",
          headers: [
            { name: "x-key", value: "v", valueFile: "" },
            { name: "y", value: "", valueFile: "f" },
          ],
        },
      },
    });
  });

  it("declares limiters in snake_case and lowerCamelCase, in the order of the file", () => {
    const { limiters } = loaded(`
limiters:
  - {name: b, max_rps: 12.5, burst_size: 3, max_wait: 2s, refuse_long_waits: true}
  - {name: a, maxConcurrent: 2, keyed: true, maxKeys: 5, maxWaiters: 0, ttl: 0s, maxTtl: 1m, trustCancel: false, paused: true, description: "y"}
`);
    expect(limiters).toEqual([
      limiterOf({ name: "b", rate: rateOf(12.5, 3), maxWait: 2 * SECOND, refuseLongWaits: true }),
      limiterOf({
        name: "a",
        description: "y",
        maxConcurrent: 2,
        keyed: true,
        maxKeys: 5,
        maxWaiters: 0,
        ttl: 0,
        maxTtl: 60 * SECOND,
        trustCancel: false,
        paused: true,
      }),
    ]);
  });

  it("may repeat itself by aliases", () => {
    const { limiters, settings } = loaded(`
liveness: {heartbeat: &often 2s, keepalive_time: *often}
limiters:
  - {name: a, max_concurrent: 1, ttl: *often}
  - {name: b, max_concurrent: 1, ttl: *often}
`);
    expect(settings.liveness).toMatchObject({ heartbeat: 2 * SECOND, keepaliveTime: 2 * SECOND });
    expect(limiters.map(({ ttl }) => ttl)).toEqual([2 * SECOND, 2 * SECOND]);
  });

  it("merges mappings: what stands in the mapping wins, then the first of those merged; names with x- are its own affair", () => {
    const { limiters, settings } = loaded(`
x-base: &base
  max_concurrent: 2
  ttl: 30s
x-tenant: &tenant { <<: *base, keyed: true, x-note: none of ours, ttl: 20s }
limiters:
  - { <<: *base, name: a }
  - { name: b, ttl: 5s, <<: *base }
  - { <<: [*tenant, { ttl: 1s, max_waiters: 7 }], name: c }
logging: { x-why: quiet, <<: { level: warn } }
`);
    expect(limiters).toEqual([
      limiterOf({ name: "a", maxConcurrent: 2, ttl: 30 * SECOND }),
      limiterOf({ name: "b", maxConcurrent: 2, ttl: 5 * SECOND }),
      limiterOf({ name: "c", maxConcurrent: 2, ttl: 20 * SECOND, keyed: true, maxWaiters: 7 }),
    ]);
    expect(settings.logLevel).toBe("warn");
  });

  it("takes variables in values of every kind, typed as their field is", () => {
    const variables = {
      HOME: "/srv",
      N: "20",
      RATE: "1e2",
      ON: "true",
      EMPTY: "",
      LEVEL: "debug",
      WAIT: "30s",
      ID: "007",
    };
    const { limiters, settings } = loaded(
      `
store: { folder: "\${HOME}/data" }
limits: { max_waiters: "\${N}000", max_connections: "$N" }
logging: { level: "\${LEVEL}" }
drain:
  timeout: \${NONE:-5s}
limiters:
  - name: db-\${ID}
    description: |
      costs $$5, \${EMPTY:-nothing}, \${EMPTY-x}, \${N:+some}, \${NONE:-\${NONE:-\${N}}}
    max_rps: \${RATE}
    max_concurrent: '\${N}'
    keyed: \${ON}
    max_wait: \${WAIT:?}
  - { name: "\${ID}", max_concurrent: 1 }
`,
      { ...FILE, variables },
    );
    expect(settings).toMatchObject({
      store: { folder: "/srv/data" },
      maxWaiters: 20_000,
      limits: { maxConnections: 20 },
      logLevel: "debug",
      drainTimeout: 5 * SECOND,
    });
    expect(limiters).toEqual([
      limiterOf({
        name: "db-007",
        description: "costs $5, nothing, , some, 20\n",
        rate: rateOf(100, 5),
        maxConcurrent: 20,
        keyed: true,
        maxWait: 30 * SECOND,
      }),
      limiterOf({ name: "007", maxConcurrent: 1 }),
    ]);
  });

  it.each(["info", "INFO", "LOG_LEVEL_INFO"])("takes the level %s", (level) => {
    expect(loaded(`logging: {level: ${level}}`).settings.logLevel).toBe("info");
  });
});

describe("without a file", () => {
  it("there is one limiter to try things with: one permit, free with its stream", () => {
    const reading = loadConfig({ path: undefined, overrides: [] });
    expect(reading).toMatchObject({ kind: "loaded", settings: DEFAULTS });
    const limiters = reading.kind === "loaded" ? reading.limiters : [];
    expect(limiters).toEqual([
      limiterOf({ name: "sample", maxConcurrent: 1, ttl: 0, description: expect.stringContaining("sample") }),
    ]);
  });
});

describe("the files that are delivered", () => {
  it("the example has every section, and a comment that names the default is right", () => {
    const { settings, limiters } = loaded(readFileSync("examples/backpressure.yaml", "utf8"));
    expect(settings).toEqual({
      ...DEFAULTS,
      listeners: {
        ...DEFAULTS.listeners,
        corsOrigins: ["https://ops.example.com"],
        corsHeaders: ["x-request-id"],
        webHosts: ["bp.example.com"],
      },
      store: STORE,
      metrics: { ...DEFAULTS.metrics, keys: [{ limiter: "tenant-export", key: "acme" }] },
      traces: {
        otlp: {
          url: "http://localhost:4318",
          headers: [{ name: "authorization", value: "", valueFile: "/run/secrets/otlp" }],
        },
        ratio: 0,
      },
    });
    expect(limiters.map(({ name }) => name)).toEqual([
      "payments-db",
      "partner-api",
      "mail",
      "tenant-export",
      "gpu-pool",
      "sample",
    ]);
  });

  it("the image listens on all interfaces and has the sample", () => {
    const { settings, limiters } = loaded(readFileSync("docker/backpressure.yaml", "utf8"));
    expect(settings).toEqual({
      ...DEFAULTS,
      allowAnonymous: true,
      listeners: {
        grpc: { host: "0.0.0.0", port: 50051 },
        web: { host: "0.0.0.0", port: 8080 },
        corsOrigins: [],
        corsHeaders: [],
        webHosts: ["backpressure", "host.docker.internal"],
      },
    });
    expect(limiters).toMatchObject([{ name: "sample", maxConcurrent: 1, ttl: 0 }]);
  });
});

describe("the environment", () => {
  const originOf = (variables: Record<string, string>): ConfigOrigin => {
    const { configPath, overrides } = readEnvironment(variables);
    return { path: configPath, overrides };
  };

  it("wins over the file", () => {
    const origin = originOf({
      BACKPRESSURE_CONFIG: "b.yaml",
      BACKPRESSURE_GRPC_LISTEN: "0.0.0.0:1",
      BACKPRESSURE_WEB_LISTEN: "0.0.0.0:2",
      BACKPRESSURE_STORE_FOLDER: "/data",
      BACKPRESSURE_LOG_LEVEL: "debug",
    });
    const { settings } = loaded(
      "listeners: {grpc: nonsense, cors_origins: ['*']}\nlogging: {level: warn}\nallow_anonymous: true",
      origin,
    );
    expect(settings.listeners).toEqual({
      grpc: { host: "0.0.0.0", port: 1 },
      web: { host: "0.0.0.0", port: 2 },
      corsOrigins: ["*"],
      corsHeaders: [],
      webHosts: [],
    });
    expect(settings.store).toEqual({ ...STORE, folder: "/data" });
    expect(settings.logLevel).toBe("debug");
  });

  it("says nothing by empty variables, nor by those that Kubernetes sets", () => {
    expect(
      readEnvironment({
        BACKPRESSURE_CONFIG: "",
        BACKPRESSURE_LOG_LEVEL: "",
        BACKPRESSURE_PORT: "tcp://10.0.0.1:8080",
      }),
    ).toMatchObject({ configPath: undefined, overrides: [] });
  });

  it("keeps the rules of the file, and is named where it breaks them", () => {
    const origin = originOf({ BACKPRESSURE_GRPC_LISTEN: "50051", BACKPRESSURE_LOG_LEVEL: "loud" });
    expect(new Set(problems("limits: {max_waiters: 0}", origin))).toEqual(
      new Set([
        `BACKPRESSURE_GRPC_LISTEN: listeners.grpc: must be host:port, such as 127.0.0.1:50051, 0.0.0.0:50051 or [::1]:50051, found "50051"`,
        `BACKPRESSURE_LOG_LEVEL: logging.level: must be one of debug, info, warn, error, found "loud"`,
        `the default configuration:1:10: limits.max_waiters: must be a whole number from 1 to 1,000,000, found 0`,
      ]),
    );
  });
});

/** What is kept, and how, where the file names a folder and says no more. */
const STORE = { folder: "/var/lib/backpressure", leases: "process", maxMegabytes: 1_024 };
