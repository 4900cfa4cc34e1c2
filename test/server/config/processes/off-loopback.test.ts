/** A server that others than this machine could call says who may, or does not start. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../../../src/server/config/config.ts";
import { startProgram } from "../../../support/program.ts";

const ADDRESSES = [
  "0.0.0.0:0",
  "[::]:0",
  "192.168.1.10:0",
  "[fe80::1%eth0]:0",
  "[::ffff:127.0.0.1]:0",
  "backpressure.example.com:0",
  "localhost.example.com:0",
  "127.0.0.1.example.com:0",
];
const LISTENERS = ["grpc", "web"] as const;
const FREE = "127.0.0.1:0";

function write(name: (typeof LISTENERS)[number], address: string, more = ""): string {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-listeners-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "backpressure.yaml");
  const listeners = { grpc: FREE, web: FREE, [name]: address };
  writeFileSync(path, `listeners: ${JSON.stringify(listeners)}\n${more}`);
  return path;
}

const sentence = (path: string, name: string, host: string) =>
  `${path}:1:${name === "grpc" ? 13 : 34}: listeners.${name}: must be on loopback, such as 127.0.0.1, until the file says who may ` +
  `call: auth, tls.client_ca_file, or allow_anonymous: true for everybody, found ${host}`;

const hostOf = (address: string) => address.slice(0, -2).replaceAll(/[[\]]/g, "");

const CASES = LISTENERS.flatMap((name) => ADDRESSES.map((address) => [name, address] as const));

test.each(CASES)("a %s listener on %s is refused in one sentence until the file says who may call", (name, address) => {
  const path = write(name, address);
  const reading = loadConfig({ path, overrides: [] });
  const said = reading.kind === "invalid" ? reading.problems.map(({ field, message }) => `${field}: ${message}`) : [];
  expect(said).toEqual([sentence(path, name, hostOf(address)).replace(/^.*?: /, "")]);
  for (const more of [
    "allow_anonymous: true\n",
    `auth: { tokens: [{ name: ci, sha256: ["${"0".repeat(64)}"] }] }\n`,
    "tls: { cert_file: c, key_file: k, client_ca_file: ca }\n",
  ]) {
    expect(loadConfig({ path: write(name, address, more), overrides: [] }).kind).toBe("loaded");
  }
});

test.each(["127.0.0.1:0", "127.1.2.3:0", "[::1]:0", "localhost:0", "LOCALHOST:0"])(
  "a listener on %s is not",
  (address) => {
    for (const name of LISTENERS) expect(loadConfig({ path: write(name, address), overrides: [] }).kind).toBe("loaded");
  },
);

const SERVE = [process.execPath, "src/cli/main.ts", "serve", "--data", "none", "--config"];

test.each(LISTENERS)("the process says so on standard error, and ends with 2 (%s)", async (name) => {
  const path = write(name, "0.0.0.0:0");
  await using server = startProgram([...SERVE, path]);
  const { code, printed } = await server.ended;
  expect([code, printed.trim()]).toEqual([2, sentence(path, name, "0.0.0.0")]);
});

test("the same of an address that a variable of the environment brings", async () => {
  const path = write("web", FREE);
  await using server = startProgram([...SERVE, path], {
    env: { ...process.env, BACKPRESSURE_GRPC_LISTEN: "0.0.0.0:0" },
  });
  const { code, printed } = await server.ended;
  expect([code, printed.trim()]).toEqual([
    2,
    expect.stringMatching(/^BACKPRESSURE_GRPC_LISTEN: listeners\.grpc: must be on loopback/),
  ]);
});

test("the control: with allow_anonymous it starts", async () => {
  // Elsewhere than on loopback in words alone: no test listens there.
  const path = write("grpc", FREE, "allow_anonymous: true\n");
  await using server = startProgram([...SERVE, path]);
  await server.until(/serves gRPC|"event":"serving"/);
  server.signal("SIGTERM");
  expect((await server.ended).code).toBe(0);
});
