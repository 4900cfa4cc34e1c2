/** One server, one process: what starts it, signals it, and must not multiply it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { hold } from "../../support/acquire.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const MAIN = join(ROOT, "src/cli/main.ts");
/** Ports that are free, and memory alone: many run at once. */
const FREE = {
  BACKPRESSURE_GRPC_LISTEN: "127.0.0.1:0",
  BACKPRESSURE_WEB_LISTEN: "127.0.0.1:0",
  BACKPRESSURE_DATA: "none",
};
const SERVES = /serves gRPC on ([\d.]+:\d+)/;

interface Started extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Resolves with the match in what it has printed; rejects when it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly output: () => string;
}

/** Starts a program in a process group of its own, which is killed with the test. */
function start(command: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    cwd: ROOT,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, npm_lifecycle_script: undefined, npm_lifecycle_event: undefined, ...FREE, ...env },
  });
  let text = "";
  const looks = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      for (const look of looks) look();
    });
  }
  const ended = once(child, "exit").then(([code, signal]) => ({ code, signal }));
  return {
    child,
    ended,
    output: () => text,
    printed: (pattern) =>
      new Promise((resolve) => {
        const look = () => {
          const match = pattern.exec(text);
          if (match === null) return;
          looks.delete(look);
          resolve(match);
        };
        looks.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      try {
        process.kill(-(child.pid as number), "SIGKILL");
      } catch {
        // All of the group have ended.
      }
      await ended;
    },
  };
}

function temporaryFolder(): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-one-"));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

/** Resolves once nothing listens there any more. */
async function portIsFree(address: string): Promise<void> {
  const [host, port] = address.split(":");
  for (;;) {
    const refused = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), host);
      socket.on("connect", () => {
        socket.destroy();
        resolve(false);
      });
      socket.on("error", () => resolve(true));
    });
    if (refused) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const WAYS: readonly (readonly [string, readonly string[]])[] = [
  ["npm start", ["npm", "start"]],
  ["npm run backpressure -- serve", ["npm", "run", "backpressure", "--", "serve"]],
  ["npm exec", ["npm", "exec", "-c", `"${process.execPath}" "${MAIN}" serve`]],
];

// Of `npm exec`, whose script cannot say `exec`, the shell ignores a SIGINT that its child has not had as well.
test.concurrent.for(
  WAYS.flatMap(([name, command]) =>
    (["SIGTERM", "SIGINT", "SIGKILL", "SIGHUP"] as const).flatMap((signal) =>
      name === "npm exec" && signal === "SIGINT" ? [] : [{ name, command, signal }],
    ),
  ),
)(
  "$name: $signal to npm alone drains the server, which then ends and leaves its ports",
  { timeout: 120_000 },
  async ({ command, signal }) => {
    await using npm = start(command);
    const [, address = ""] = await npm.printed(SERVES);
    await using client = createGrpcClient(address);
    const holder = await hold(client, "sample");
    npm.child.kill(signal);
    await holder.next("draining");
    holder.cancel();
    await portIsFree(address);
    await npm.ended;
  },
);

test.concurrent("npm start: Ctrl-C, which reaches npm and the server, drains it and does not break it off", {
  timeout: 60_000,
}, async () => {
  await using npm = start(["npm", "start"]);
  const [, address = ""] = await npm.printed(SERVES);
  await using client = createGrpcClient(address);
  const holder = await hold(client, "sample");
  process.kill(-(npm.child.pid as number), "SIGINT");
  await holder.next("draining");
  await npm.printed(/draining; a second signal stops at once/);
  // A second signal would have ended the stream by now: the server answers as long as it drains.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(npm.output()).not.toContain("stopping at once");
  holder.cancel();
  await portIsFree(address);
  await npm.ended;
});

test.concurrent("SIGHUP during the start is done after it, however early it comes", { timeout: 60_000 }, async () => {
  await using server = start([process.execPath, MAIN, "serve"]);
  let serving = false;
  const greeted = server.printed(SERVES).then(() => {
    serving = true;
  });
  // Node itself, before it runs the first line of the program, ends by a SIGHUP.
  await signalsAreHeard(server.child.pid as number);
  while (!serving) {
    server.child.kill("SIGHUP");
    await Promise.race([greeted, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  await server.printed(/there is no configuration file to read again/);
  server.child.kill("SIGTERM");
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

test.concurrent.for(["SIGTERM", "SIGINT"] as const)(
  "%s during the start ends it with 0, and the folder is closed in order",
  { timeout: 60_000 },
  async (signal) => {
    using temporary = temporaryFolder();
    const { folder } = temporary;
    const env = { BACKPRESSURE_STORE_FOLDER: join(folder, "data") };
    await using broken = start([process.execPath, MAIN, "serve"], env);
    await signalsAreHeard(broken.child.pid as number);
    broken.child.kill(signal);
    expect(await broken.ended).toEqual({ code: 0, signal: null });
    expect(broken.output()).not.toMatch(SERVES);
    await using next = start([process.execPath, MAIN, "serve"], env);
    await next.printed(SERVES);
    expect(next.output()).not.toContain("may be missing");
    next.child.kill("SIGTERM");
    expect(await next.ended).toEqual({ code: 0, signal: null });
  },
);

/** Resolves once a process catches the signals of a server, as its status says: then the program's first lines have run. */
async function signalsAreHeard(pid: number): Promise<void> {
  const { readFileSync } = await import("node:fs");
  for (;;) {
    const [, caught = "0"] = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    // SIGHUP, SIGINT and SIGTERM: 1, 2 and 15.
    if ((BigInt(`0x${caught}`) & 0x4003n) === 0x4003n) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test.concurrent("a worker of node:cluster refuses to serve, and says what to do", { timeout: 60_000 }, async () => {
  using temporary = temporaryFolder();
  const { folder } = temporary;
  const path = join(folder, "cluster.cjs");
  writeFileSync(
    path,
    `const cluster = require("node:cluster");
     cluster.setupPrimary({ exec: ${JSON.stringify(MAIN)}, args: ["serve"] });
     let left = 2;
     const codes = [];
     for (let n = 0; n < 2; n += 1) cluster.fork().on("exit", (code) => {
       codes.push(code);
       left -= 1;
       if (left === 0) console.log("codes", codes.join());
     });`,
  );
  await using primary = start([process.execPath, path]);
  await primary.printed(/codes 1,1/);
  expect(primary.output()).toContain("in a worker of node:cluster");
  expect(primary.output()).toContain("Run exactly one server");
  expect(primary.output()).not.toMatch(SERVES);
});

test.concurrent("pm2: an instance in cluster mode and a second one are refused; one in fork mode serves", {
  timeout: 60_000,
}, async () => {
  const pm2 = { PM2_HOME: "/nowhere/.pm2", pm_id: "0" };
  for (const env of [
    { ...pm2, exec_mode: "cluster_mode", NODE_APP_INSTANCE: "0" },
    { ...pm2, exec_mode: "fork_mode", NODE_APP_INSTANCE: "1" },
  ]) {
    await using refused = start([process.execPath, MAIN, "serve"], env);
    await refused.printed(/pm2's cluster mode.*Run exactly one server/s);
    expect(await refused.ended).toEqual({ code: 1, signal: null });
  }
  await using server = start([process.execPath, MAIN, "serve"], {
    ...pm2,
    exec_mode: "fork_mode",
    NODE_APP_INSTANCE: "0",
  });
  await server.printed(SERVES);
  server.child.kill("SIGTERM");
  expect(await server.ended).toEqual({ code: 0, signal: null });
});
