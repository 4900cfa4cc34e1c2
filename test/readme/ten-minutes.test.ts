/** "Ten minutes" of docs/security.md, typed as it stands in an empty folder, but for its ports and for the token that the command makes. */

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../src/server/config/config.ts";
import { problemsOf } from "../ops/support/manifests.ts";
import { readOps } from "../ops/support/rules.ts";
import { requireGrpcurl } from "../support/grpcurl.ts";
import { type Program, startProgram } from "../support/program.ts";
import { readFences } from "./support/fences.ts";
import { environment, onPortsOfOurs, serverEnvironment } from "./support/newcomer.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FENCES = new Map(
  readFences(readFileSync(join(ROOT, "docs/security.md"), "utf8")).map(({ name, text }) => [name, onPortsOfOurs(text)]),
);
const TIMEOUT = 60_000;

const home = mkdtempSync(join(tmpdir(), "backpressure-ten-minutes-"));
const [folder, bin] = [join(home, "empty"), join(home, "bin")];
mkdirSync(folder);
mkdirSync(bin);
// As an installation brings it.
writeFileSync(join(bin, "backpressure"), `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/src/cli/main.ts' "$@"\n`);
chmodSync(join(bin, "backpressure"), 0o755);

let server: Program | undefined;
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const fence = (name: string) => {
  const text = FENCES.get(name);
  if (text === undefined) throw new Error(`docs/security.md has no block ${name}`);
  return text;
};

function start(commands: string, env = environment()): Program {
  const path = `${bin}${delimiter}${env.PATH}`;
  return startProgram(["sh", "-ec", commands], { cwd: folder, env: { ...env, PATH: path } });
}

async function enter(commands: string): Promise<string> {
  const { code, printed } = await start(commands).ended;
  if (code !== 0) throw new Error(`${commands}\nended with ${code}:\n${printed}`);
  return printed;
}

test("mTLS: certificates, a server and a client that is known by its own", { timeout: TIMEOUT }, async () => {
  await enter(fence("mtls-files"));
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(["ca.crt", "server.crt", "server.key", "billing.crt"]));
  writeFileSync(join(folder, "backpressure.yaml"), fence("mtls-config"));
  server = start(fence("mtls-serve"), serverEnvironment());
  await server.until(/backpressure serves gRPC|"grpc":/);
  expect(await enter(fence("mtls-call"))).toMatch(/^db /m);
  const without = start(fence("mtls-call").replace(/ --cert-file \S+ --key-file \S+/, ""));
  const { code, printed } = await without.ended;
  expect({ failed: code !== 0, printed }).toEqual({
    failed: true,
    printed: expect.stringContaining("the server does not know who calls"),
  });
});

test("tokens: one that is made, put into the file of the server that runs, and shown", {
  timeout: TIMEOUT,
}, async (context) => {
  const printed = await enter(fence("token-make"));
  const [sha256 = ""] = /[0-9a-f]{64}/.exec(printed) ?? [];
  const entry = fence("token-config")
    .replace(/[0-9a-f]{64}/, sha256)
    // The page's is a date like any other, and passes.
    .replace(/expires: \S+/, `expires: ${new Date(Date.now() + 86_400_000).toISOString()}`);
  writeFileSync(join(folder, "backpressure.yaml"), `${fence("mtls-config")}${entry}`);
  await server?.until(/config-taken-up|the configuration/);
  await expect
    .poll(async () => (await start(fence("token-call")).ended).printed, { timeout: TIMEOUT })
    .toMatch(/^db /m);
  writeFileSync(join(folder, "program.mts"), fence("token-client"));
  const program = `'${process.execPath}' --import '${ROOT}/test/support/self-import.ts' program.mts`;
  expect(await enter(program)).toMatch(/^holding \S+$/m);
  requireGrpcurl(context);
  expect(await enter(fence("token-grpcurl"))).toContain("ggen.backpressure.v1.AdmissionService");
});

test("Kubernetes: the server's file is one, and that of ops/; the pod of a client is one to its API", async () => {
  const config = parseConfig(fence("kubernetes-config"), { path: undefined, overrides: [] });
  expect(config.kind).toBe("loaded");
  const { auth } = parse(readOps("kubernetes-secured/backpressure.yaml"));
  expect(parse(fence("kubernetes-config")).auth).toEqual({ jwt: auth.jwt });
  const { spec } = parse(fence("kubernetes-client"));
  const containers = spec.containers.map((container: object) => ({ ...container, image: "billing" }));
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "billing" }, spec: { ...spec, containers } };
  expect(await problemsOf([pod])).toEqual([]);
});
