/** grpcurl, the client that people on call have at hand. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished, type TestContext } from "vitest";
import { requireTool } from "./require-tool.ts";

const INSTALL = "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4";
/** Where `go install` puts it, which is not always on the path. */
const ENV = { ...process.env, PATH: [process.env.PATH, join(homedir(), "go", "bin")].join(delimiter) };

/** Skips the test, by name, where there is no grpcurl; in CI it fails instead. */
export function requireGrpcurl(context: TestContext): void {
  requireTool(context, { name: "grpcurl", probe: ["grpcurl", "-version"], install: INSTALL, env: ENV });
}

export interface GrpcurlResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 64 + the gRPC status of a failed call. */
  readonly code: number;
}

export interface GrpcurlOptions {
  /** Goes to standard input, for `-d @`. */
  readonly input?: string;
  /** Flags by which it speaks TLS; unset: plain text. */
  readonly tls?: readonly string[];
  /** Variables that it has besides. */
  readonly env?: NodeJS.ProcessEnv;
}

const PLAIN = ["-plaintext"];

/** Runs it to its end. */
export function grpcurl(args: readonly string[], options: GrpcurlOptions = {}): Promise<GrpcurlResult> {
  const { input = "", tls = PLAIN, env } = options;
  return new Promise((resolve) => {
    const child = execFile("grpcurl", [...tls, ...args], { env: { ...ENV, ...env } }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code ?? -1) });
    });
    child.stdin?.end(input);
  });
}

export interface GrpcurlStream {
  readonly process: ChildProcess;
  /** The messages as they come, parsed; ends with the call. */
  readonly messages: AsyncIterableIterator<unknown>;
}

/** Starts a streaming call. It is killed at the end of the test at the latest. */
export function streamGrpcurl(args: readonly string[], { tls = PLAIN, env }: GrpcurlOptions = {}): GrpcurlStream {
  const child = spawn("grpcurl", [...tls, ...args], { env: { ...ENV, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return { process: child, messages: parse(createInterface(child.stdout)) };
}

/** Its messages are indented, so that one ends where a brace stands alone. */
async function* parse(lines: AsyncIterable<string>): AsyncGenerator<unknown> {
  let text = "";
  for await (const line of lines) {
    text += line;
    if (line !== "}" && line !== "{}") continue;
    yield JSON.parse(text);
    text = "";
  }
}
