import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it, test } from "vitest";
import {
  addressText,
  defaultWorkers,
  restartFields,
  serverSettings,
  urlText,
} from "../../../src/server/config/settings.ts";
import { ConfigSchema, LogLevel } from "../../../src/server/gen/ggen/backpressure/config/v1/config_pb.ts";

describe("a change that takes a restart is named by its field", () => {
  const second = { seconds: 1n, nanos: 0 };

  it.each<[readonly string[], MessageInitShape<typeof ConfigSchema>]>([
    [[], {}],
    [[], { limits: { maxWaiters: 5 }, drain: { timeout: second }, logging: { level: LogLevel.DEBUG } }],
    [["listeners.grpc"], { listeners: { grpc: "127.0.0.1:50052" } }],
    [[], { listeners: { grpc: "127.0.0.1:50051" } }],
    [["listeners.web", "listeners.cors_origins"], { listeners: { web: "[::]:8080", corsOrigins: ["*"] } }],
    [
      [
        "limits.max_message_bytes",
        "limits.max_metadata_bytes",
        "limits.max_streams_per_connection",
        "limits.max_connections",
      ],
      {
        limits: { maxMessageBytes: 2_000, maxMetadataBytes: 2_000, maxStreamsPerConnection: 5, maxConnections: 5 },
      },
    ],
    [
      ["liveness.keepalive_time", "liveness.keepalive_timeout", "liveness.heartbeat"],
      { liveness: { keepaliveTime: second, keepaliveTimeout: second, heartbeat: second } },
    ],
    [["workers"], { workers: 60 }],
  ])("%j", (fields, next) => {
    const running = serverSettings(create(ConfigSchema));
    expect(restartFields(running, serverSettings(create(ConfigSchema, next)))).toEqual(fields);
  });
});

test("by default one core decides, and up to eight others carry the connections", () => {
  expect([1, 2, 4, 9, 64].map(defaultWorkers)).toEqual([0, 1, 3, 8, 8]);
});

test.each([
  [{ host: "127.0.0.1", port: 1 }, "127.0.0.1:1", "http://127.0.0.1:1"],
  [{ host: "::1", port: 8080 }, "[::1]:8080", "http://[::1]:8080"],
  [{ host: "fe80::1%lo", port: 8080 }, "[fe80::1%lo]:8080", "http://[fe80::1%25lo]:8080"],
])("%j is written so that clients can read it", (address, text, url) => {
  expect([addressText(address), urlText(address)]).toEqual([text, url]);
});
