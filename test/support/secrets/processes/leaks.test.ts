/** A secret that a process writes is found, whoever starts it and wherever it stands; what is none is not taken for one. */

import { execFile, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { promisify } from "node:util";
import { beforeEach, describe, expect, test } from "vitest";
import { cli } from "../../../cli/support/cli.ts";
import { createMemoryLog } from "../../../server/transport/support/memory-log.ts";
import { createAuthority } from "../../certificates.ts";
import { createSigningKey, sign } from "../../identity-provider.ts";
import { search, takeLeaks } from "../leaks.ts";

/** Until it has all that random ones have but for one in a billion. */
function random(): string {
  const secret = randomBytes(32).toString("base64url");
  return /[0-9]/.test(secret) ? secret : random();
}

const SECRET = random();
const { cert, issue } = await createAuthority();
const { key } = await issue();
const signing = await createSigningKey();
const jwt = await sign(signing);

const printing = (text: string, stream = "stdout") => [
  "-e",
  `const text = ${JSON.stringify(text)};
   const half = text.length / 2;
   process.${stream}.write(text.slice(0, half));
   setTimeout(() => process.${stream}.write(text.slice(half)), 50);`,
];

// Nothing of what is written here on purpose may fail this file.
beforeEach(() => void takeLeaks());

describe("is found where it is written", () => {
  const text = `{"event":"call","secret":"${SECRET}"}`;
  const found = (from: RegExp) => [
    expect.objectContaining({ kind: "32 bytes that look random", from: expect.stringMatching(from) }),
  ];

  test.each(["stdout", "stderr"])("by a process that a test has spawned, to %s, in two pieces", async (stream) => {
    const child = spawn(process.execPath, printing(text, stream), { stdio: ["ignore", "pipe", "pipe"] });
    // Its reader comes later, and misses nothing.
    await once(child, "spawn");
    const read = stream === "stdout" ? child.stdout : child.stderr;
    expect((await read.toArray()).join("")).toBe(text);
    expect(takeLeaks()).toEqual(found(stream === "stdout" ? /standard output of node/ : /standard error of node/));
  });

  test("by one whose output is awaited", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, printing(text));
    expect(stdout).toBe(text);
    expect(takeLeaks()).toEqual(found(/standard output of node/));
  });

  test("by one that is waited for", () => {
    expect(spawnSync(process.execPath, printing(text), { encoding: "utf8" }).stdout).toBe(text);
    expect(takeLeaks()).toEqual(found(/standard output of node/));
  });

  test("by a server in this process", () => {
    createMemoryLog().warn({ event: "fault", err: new Error(SECRET) }, "a fault");
    expect(takeLeaks()).toEqual(found(/log of a server/));
  });
});

test("what the command line shows of a token to its owner is no leak", async () => {
  const { stdout, code } = await cli(["token", "ci"]);
  expect({ code, token: /^bp_ci_/m.test(stdout) }).toEqual({ code: 0, token: true });
  expect(takeLeaks()).toEqual([]);
});

describe("a text", () => {
  test.each([
    ["a secret inside of a path", `/leases/${SECRET}/renew`, ["32 bytes that look random"]],
    ["a token", `Unknown: bp_ci_${SECRET}`, ["a token of an operator"]],
    ["a signed token", `token=${jwt};`, ["a signed token"]],
    ["a login", `set-cookie: __Host-backpressure=${SECRET}${SECRET}; Secure`, ["a login"]],
    ["a private key", key, ["a private key"]],
    ["the bytes of one", key.split("\n")[1] ?? "", ["a private key"]],
    ["digests, names and fingerprints", `bp_ci_ ${"ab".repeat(32)} 12:AB token:ci Bearer realm`, []],
    ["a certificate", cert, []],
    ["a line of one with a stretch of that length", `${"aB3".repeat(6)}/${"aB3".repeat(14)}d+x`, []],
    ["what is named a digest", `"Sum": "h1:${SECRET}=" SHA256:${SECRET}`, []],
    ["a name that is as long", "the-name-of-a-limiter-that-is-long-0123456x", []],
    ["nothing", "", []],
  ])("with %s", (_, text, kinds) => {
    search("a test", text);
    const leaks = takeLeaks();
    expect(leaks.map(({ kind }) => kind)).toEqual(kinds);
    // The report is read by many.
    for (const secret of [SECRET, jwt, key.split("\n")[1]]) expect(JSON.stringify(leaks)).not.toContain(secret);
  });
});
