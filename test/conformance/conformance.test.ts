/** Both ports, and the transport of the client for browsers, against the conformance suite of Connect, gRPC and gRPC-Web (github.com/connectrpc/conformance). */

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, expect, type TestContext, test } from "vitest";
import { requireTool } from "../support/require-tool.ts";

const MODULE = "connectrpc.com/conformance";
const VERSION = "v1.0.7";
const INSTALL = `go install ${MODULE}/cmd/connectconformance@${VERSION}`;
/** Where `go install` puts it, which is not always on the path. */
const ENV = { ...process.env, PATH: [process.env.PATH, join(homedir(), "go", "bin")].join(delimiter) };

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUF = join(ROOT, "node_modules/.bin/buf");
const METADATA = fileURLToPath(new URL("support/metadata.ts", import.meta.url));
const CLIENT = fileURLToPath(new URL("support/client.ts", import.meta.url));
const SERVER = fileURLToPath(new URL("support/server.ts", import.meta.url));

/** ms; it takes ten seconds on a quiet machine. */
const PATIENCE = 240_000;

const folder = mkdtempSync(join(tmpdir(), "conformance-"));
afterAll(() => rmSync(folder, { recursive: true }));
let image: Promise<string> | undefined;

/** Which side of the product is under test, what is run for it, and how many cases the suite has for it. */
const SUBJECTS = {
  grpc: { mode: "server", program: ["--import", METADATA, SERVER, "grpc"], cases: 326 },
  web: { mode: "server", program: ["--import", METADATA, SERVER, "web"], cases: 868 },
  "browser-client": { mode: "client", program: [CLIENT], cases: 98 },
} as const;

type Subject = keyof typeof SUBJECTS;

beforeEach((context: TestContext) => {
  requireTool(context, {
    name: "connectconformance",
    probe: ["connectconformance", "--version"],
    install: INSTALL,
    env: ENV,
  });
});

test.each([
  ["the gRPC port", "grpc"],
  ["the web port", "web"],
  ["the transport of the client for browsers", "browser-client"],
] as const)(
  "%s conforms, but for what is known",
  async (_name, subject) => {
    const known = join(ROOT, `test/conformance/${subject}-known-failing.txt`);
    const { code, printed } = await runSuite(subject, existsSync(known) ? [`--known-failing=@${known}`] : []);
    const end = printed.slice(-4000);
    const failed = printed.split("\n").filter((line) => line.startsWith("FAILED"));
    expect(failed, end).toEqual([]);
    expect(code, end).toBe(0);
    // A configuration that leaves cases out would pass as well.
    expect(Number(/^Total cases: (\d+)$/m.exec(printed)?.[1])).toBeGreaterThanOrEqual(SUBJECTS[subject].cases);
  },
  PATIENCE,
);

test(
  "control: what is known to fail does",
  async () => {
    const { code, printed } = await runSuite("grpc", ["--run=gRPC Unexpected Requests/**"]);
    expect(printed).toMatch(/^FAILED: .*unexpected-compressed-message/m);
    expect(code).not.toBe(0);
  },
  PATIENCE,
);

async function runSuite(subject: Subject, options: readonly string[]) {
  image ??= buildImage();
  const { mode, program } = SUBJECTS[subject];
  const conf = join(ROOT, `test/conformance/${subject}.yaml`);
  const command = [process.execPath, "--no-warnings", ...program, await image];
  return run("connectconformance", [`--mode=${mode}`, `--conf=${conf}`, ...options, "--", ...command]);
}

/** Compiles the suite's own protos, which come with the source of its runner. */
async function buildImage(): Promise<string> {
  const path = join(folder, "image.binpb");
  const { printed } = await succeed("go", ["mod", "download", "-json", `${MODULE}@${VERSION}`]);
  await succeed(BUF, ["build", join(JSON.parse(printed).Dir, "proto"), "-o", path]);
  return path;
}

async function succeed(command: string, args: readonly string[]) {
  const result = await run(command, args);
  if (result.code !== 0) throw new Error(`${command} ${args.join(" ")}\nended with ${result.code}:\n${result.printed}`);
  return result;
}

function run(command: string, args: readonly string[]): Promise<{ readonly code: number; readonly printed: string }> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: ENV, maxBuffer: 64 << 20 };
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), printed: stdout + stderr });
    });
  });
}
