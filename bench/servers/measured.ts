/** Servers in processes of their own, each on a core that it does not share with what puts it under load. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { NODE_FLAGS } from "../../test/support/node-flags.ts";
import { startServerProcess } from "../../test/support/server-process.ts";
import type { ProbeQuestion, Usage } from "./probe.ts";

export interface MeasuredServer extends AsyncDisposable {
  /** 127.0.0.1:port */
  readonly address: string;
  usage(): Promise<Usage>;
  /** The same after a garbage collection. */
  usageCollected(): Promise<Usage>;
}

const PROBE = new URL("probe.ts", import.meta.url).href;
const BARE = {
  messages: [fileURLToPath(new URL("bare-server.ts", import.meta.url)), "messages"],
  bytes: [fileURLToPath(new URL("bare-server.ts", import.meta.url)), "bytes"],
  http2: [fileURLToPath(new URL("bare-http2.ts", import.meta.url))],
} as const;
const BARE_SESSION = fileURLToPath(new URL("bare-session.ts", import.meta.url));
const SERVER_CORE = 0;
const LOAD_CORE = 1;

/** The real server, as people start it. `yaml`: all but the listeners; `main`: the program of another checkout. */
export async function startMeasured(
  yaml: string,
  options: { readonly main?: string } = {},
): Promise<MeasuredServer & { readonly url: string }> {
  // One core is one thread, of another checkout too, unless the workers are what is measured.
  const text = /^workers:/m.test(yaml) ? yaml : `workers: 0\n${yaml}`;
  const server = await startServerProcess(text, { nodeArguments: ["--import", PROBE], ...options });
  pinServer(server.process);
  return {
    address: server.address,
    url: server.url,
    ...probeOf(server.process),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * A server that decides nothing, with the flags for Node that the real server has: it answers each of these paths with this.
 * `messages`: grpc-js, which decodes and encodes; `bytes`: grpc-js without that; `http2`: node:http2 alone.
 */
export async function startBare(
  mode: keyof typeof BARE,
  answers: Readonly<Record<string, Uint8Array>>,
): Promise<MeasuredServer> {
  const encoded = Object.entries(answers).map(([path, bytes]) => [path, Buffer.from(bytes).toString("base64")]);
  return startProgram([...BARE[mode], JSON.stringify(encoded)]);
}

/** grpc-js alone at the path of a session: `bytes` says these messages again, `messages` answers each command with their like. */
export async function startBareSession(
  mode: "messages" | "bytes",
  answers: readonly Buffer[],
): Promise<MeasuredServer> {
  return startProgram([BARE_SESSION, mode, JSON.stringify(answers.map((bytes) => bytes.toString("base64")))]);
}

async function startProgram(parts: readonly string[]): Promise<MeasuredServer> {
  const child = spawn(process.execPath, [...NODE_FLAGS, "--import", PROBE, ...parts], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  pin(child, SERVER_CORE);
  const [address] = (await once(child, "message")) as [string];
  return {
    address,
    ...probeOf(child),
    async [Symbol.asyncDispose]() {
      const exited = once(child, "close");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Keeps this process, which makes the load, off the servers' core. */
export function pinLoad(): void {
  pin(process, LOAD_CORE);
}

/** Gives a server the core that is the servers'. */
export function pinServer(server: ChildProcess): void {
  pin(server, SERVER_CORE);
}

/** Says whether processes can be kept apart here; without `taskset` they share all cores. */
export function pinning(): string {
  return canPin
    ? `servers on core ${SERVER_CORE} (taskset), the load on core ${LOAD_CORE}`
    : "no taskset: server and load share all cores";
}

const canPin = tryTaskset(["--version"]);

function pin({ pid }: { readonly pid?: number | undefined }, core: number): void {
  if (canPin && pid !== undefined) tryTaskset(["--all-tasks", "--cpu-list", "--pid", `${core}`, `${pid}`]);
}

function tryTaskset(parts: readonly string[]): boolean {
  try {
    execFileSync("taskset", parts, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function probeOf(child: ChildProcess): Pick<MeasuredServer, "usage" | "usageCollected"> {
  const ask = async (question: ProbeQuestion): Promise<Usage> => {
    const answered = once(child, "message");
    child.send(question);
    const [usage] = (await answered) as [Usage];
    return usage;
  };
  return { usage: () => ask({ kind: "usage" }), usageCollected: () => ask({ kind: "usage-collected" }) };
}
