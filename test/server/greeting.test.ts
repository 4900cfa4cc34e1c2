import { describe, expect, it } from "vitest";
import { type LoadedConfig, loadConfig, parseConfig } from "../../src/server/config/config.ts";
import { type DataChoice, readDataChoice } from "../../src/server/config/data-choice.ts";
import { greeting } from "../../src/server/greeting.ts";

const server = { grpc: { host: "127.0.0.1", port: 50051 }, web: { host: "::1", port: 8080 }, workers: 0 };
const SERVES = "backpressure serves gRPC on 127.0.0.1:50051, Connect and gRPC-Web on http://[::1]:8080";

function loaded(data: DataChoice | undefined, file?: string): LoadedConfig {
  const origin = { path: file === undefined ? undefined : "b.yaml", overrides: [], data };
  const reading = file === undefined ? loadConfig(origin) : parseConfig(file, origin);
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading;
}

const lines = (config: LoadedConfig) =>
  greeting({ server, config, isTerminal: true, program: "npx backpressure", now: 0 }).split("\n");

describe("on a terminal", () => {
  it("says where it serves, where it keeps what, and what to try", () => {
    expect(lines(loaded({ folder: "/home/me/.local/state/backpressure", by: "default" }))).toEqual([
      SERVES,
      "threads: one, which decides and carries the connections",
      "data: /home/me/.local/state/backpressure (--data DIR for another folder, --data none for memory alone)",
      "configuration: the default (limiter sample, board default); --config FILE for one of your own",
      "try, in another terminal:",
      '  npx backpressure --address 127.0.0.1:50051 run sample -- echo "one at a time"',
      "  npx backpressure --address 127.0.0.1:50051 limiters watch",
      `  grpcurl -plaintext -d '{"claims":[{"limiter":"sample"}]}' 127.0.0.1:50051 ggen.backpressure.v1.AdmissionService/Acquire`,
      "Ctrl-C drains the server and ends it",
      "",
    ]);
  });

  it.each<[string, DataChoice | undefined, string, string]>([
    ["the folder of the file", undefined, "store: { folder: /data }", "data: /data"],
    ["a folder that was chosen", readDataChoice("/chosen", "option"), "", "data: /chosen"],
    [
      "that nothing is kept",
      undefined,
      "",
      "data: memory alone, which ends with the server; --data DIR keeps it across restarts",
    ],
  ])("names %s", (_what, data, file, line) => {
    expect(lines(loaded(data, file)).slice(2, 4)).toEqual([line, "configuration: b.yaml"]);
  });

  it("suggests a limiter that needs no key", () => {
    const file = "limiters: [{ name: tenants, keyed: true, max_rps: 1 }, { name: gpu, max_concurrent: 1 }]";
    expect(lines(loaded(undefined, file))[5]).toContain(" run gpu -- ");
  });
});

it("elsewhere it is one JSON object, of the form of the log", () => {
  const json = (config: LoadedConfig) =>
    greeting({ server, config, isTerminal: false, program: "npx backpressure", now: 5 });
  const text = json(loaded(readDataChoice("/chosen", "option")));
  expect(text).toMatch(/^\{.*\}\n$/);
  const about = {
    level: 30,
    time: 5,
    event: "serving",
    grpc: "127.0.0.1:50051",
    web: "http://[::1]:8080",
    workers: 0,
    msg: SERVES,
  };
  expect(JSON.parse(text)).toEqual({ ...about, data: "/chosen", config: null });
  const { data, config } = JSON.parse(json(loaded(undefined, "limiters: []")));
  expect([data, config]).toEqual([null, `${process.cwd()}/b.yaml`]);
});
