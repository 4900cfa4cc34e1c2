/** How the command line shows a secured server who calls, and what it says where that comes to nothing. */

import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority } from "../../support/certificates.ts";
import { type Secured, startSecured } from "../../support/secured.ts";
import { type CliResult, cli } from "../support/cli.ts";

const YAML = "limiters: [{ name: gpu, max_concurrent: 2 }, { name: sample, max_concurrent: 1 }]\n";
/** ms; each runs a process or more. */
const PATIENCE = 60_000;

let secured: Secured;
let address: string;

beforeAll(async () => {
  secured = await startSecured(YAML);
  address = `https://${secured.address}`;
  writeFileSync(secured.file("wrong.token"), `bp_worker_${"A".repeat(43)}\n`);
  writeFileSync(secured.file("empty.token"), "\n");
  writeFileSync(secured.file("other.crt"), (await createAuthority("others")).cert);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  writeFileSync(secured.file("old.token"), `${part({ alg: "ES256" })}.${part({ exp: 1_700_000_000 })}.c2ln`);
}, PATIENCE);
afterAll(() => secured?.[Symbol.asyncDispose]());

/** Files of the server's folder as flags. */
function flags(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([flag, name]) => [`--${flag}-file`, secured.file(name)]);
}

const TRUSTING = { ca: "ca.crt" };
const BY_TOKEN = { ...TRUSTING, token: "worker.token" };
const BY_CERTIFICATE = { ...TRUSTING, cert: "worker.crt", key: "worker.key" };

function run(files: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<CliResult> {
  return cli([...flags(files), ...words], { address });
}

describe("with a credential that counts", { timeout: PATIENCE }, () => {
  it.each([
    ["a token", BY_TOKEN],
    ["a client certificate", BY_CERTIFICATE],
  ])("a command is run under a lease, by %s", async (_, files) => {
    expect(await run(files, "run", "sample", "--", "echo", "held")).toEqual({ code: 0, stdout: "held\n", stderr: "" });
  });

  it("variables of the environment say the same as flags", async () => {
    const env = {
      BACKPRESSURE_CA_FILE: secured.file("ca.crt"),
      BACKPRESSURE_TOKEN_FILE: secured.file("worker.token"),
    };
    const { code, stdout } = await cli(["top", "--once"], { address, env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/gpu[\s\S]*sample/) });
  });

  it("doctor examines the server", async () => {
    const { code, stdout } = await run(BY_TOKEN, "--json", "doctor");
    expect({ code, report: JSON.parse(stdout) }).toMatchObject({ code: 0, report: { ok: true } });
  });

  it("what the caller may not do is refused with 5, and named", async () => {
    const { code, stderr } = await run(BY_TOKEN, "limiters", "set", "gpu", "--max-concurrent", "3");
    expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringMatching(/limiter\/gpu.*\(NOT_ALLOWED\)\n$/) });
  });
});

const UNKNOWN =
  /^backpressure: the server does not know who calls: show a token or a client certificate .*\(UNAUTHENTICATED\)$/m;

it.each([
  ["no credential", 5, TRUSTING, UNKNOWN],
  ["a wrong token", 5, { ...TRUSTING, token: "wrong.token" }, UNKNOWN],
  ["no authority that it trusts", 3, { token: "worker.token" }, /does not trust.*--ca-file/],
  ["another authority", 3, { ...BY_TOKEN, ca: "other.crt" }, /does not trust.*--ca-file/],
  [
    "no file of a token",
    2,
    { ...TRUSTING, token: "none" },
    /--token-file \S+none cannot be read: there is no such file$/m,
  ],
  ["a folder in its place", 2, { ...TRUSTING, token: "." }, /--token-file \S+ cannot be read: it is a folder$/m],
  ["an empty token", 2, { ...TRUSTING, token: "empty.token" }, /--token-file \S+ is empty/],
  [
    "a key as the token",
    2,
    { ...TRUSTING, token: "worker.key" },
    /--token-file \S+ has something else than a token.*not shown/,
  ],
  ["no file of the authority", 2, { ...BY_TOKEN, ca: "none" }, /tls\.caFile \(\S+none\): there is no such file$/m],
  [
    "no file of the certificate",
    2,
    { ...BY_CERTIFICATE, cert: "none" },
    /tls\.certFile \(\S+none\): there is no such file$/m,
  ],
  ["no file of the key", 2, { ...BY_CERTIFICATE, key: "none" }, /tls\.keyFile \(\S+none\): there is no such file$/m],
  ["a certificate without its key", 2, { ...TRUSTING, cert: "worker.crt" }, /belong together/],
  ["another key", 2, { ...BY_CERTIFICATE, key: "server.key" }, /worker\.crt, \S+server\.key\): .*key values mismatch/],
  [
    "a key and a certificate in each other's place",
    2,
    { ...TRUSTING, cert: "worker.key", key: "worker.crt" },
    /in PEM/,
  ],
] as const)("with %s it says so, and exits with %i", { timeout: PATIENCE }, async (_, code, files, said) => {
  const result = await run(files, "limiters", "list");
  expect(result).toEqual({ code, stdout: "", stderr: expect.stringMatching(said) });
  expect(result.stderr).not.toMatch(/bug|PRIVATE KEY|bp_worker_/);
});

it("a token is not sent in plain text to another machine, and a plain address to a TLS port is named as such", {
  timeout: PATIENCE,
}, async () => {
  const token = flags({ token: "worker.token" });
  const elsewhere = await cli([...token, "limiters", "list"], { address: "192.0.2.1:50051" });
  expect(elsewhere).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/not sent to http:\/\/192.0.2.1:50051 in plain text/),
  });
  const plain = await cli([...token, "limiters", "list"], { address: secured.address });
  expect(plain).toMatchObject({ code: 3, stderr: expect.stringMatching(/speaks TLS there.*https:/) });
});

describe("doctor", { timeout: PATIENCE }, () => {
  it.each([
    ["without a credential", TRUSTING, /and this command shows none/, /--token-file, BACKPRESSURE_TOKEN_FILE/],
    ["with one that has run out", { ...TRUSTING, token: "old.token" }, /has run out on 2023-11-14/, /get another/],
    [
      "with one that does not count",
      { ...TRUSTING, token: "wrong.token" },
      /does not count there/,
      /credential-refused/,
    ],
  ])("%s says what is missing, and what to do", async (_, files, why, todo) => {
    const { code, stdout } = await run(files, "--json", "doctor");
    expect({ code, findings: JSON.parse(stdout).findings }).toEqual({
      code: 1,
      findings: [
        expect.objectContaining({
          check: "caller",
          why: expect.stringMatching(why),
          todo: expect.stringMatching(todo),
        }),
      ],
    });
  });

  it("with a file that is not there exits with 2", async () => {
    expect(await run({ ...TRUSTING, token: "none" }, "doctor")).toMatchObject({ code: 2, stdout: "" });
  });
});
