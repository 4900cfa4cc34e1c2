import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { watchDescriptors } from "../../../../src/server/transport/port/descriptors.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { createMemoryLog } from "../support/memory-log.ts";

const SECOND = 1_000_000;
const MAIN = fileURLToPath(new URL("../../../../src/cli/main.ts", import.meta.url));

test("that no descriptors are left is said once a minute at most, and that there are some again once", () => {
  const clock = createFakeClock();
  const log = createMemoryLog();
  let error: NodeJS.ErrnoException | null = null;
  const stop = watchDescriptors({ clock, log, maxConnections: 5, probe: (onOpened) => onOpened(error) });
  for (let i = 0; i < 10; i += 1) clock.advance(SECOND);
  expect(log.at("warn")).toEqual([]);
  error = Object.assign(new Error("too many"), { code: "EMFILE" });
  for (let i = 0; i < 61; i += 1) clock.advance(SECOND);
  expect(log.at("warn").map(({ fields }) => fields)).toMatchObject([
    { code: "EMFILE", maxConnections: 5 },
    { code: "EMFILE", maxConnections: 5 },
  ]);
  error = null;
  for (let i = 0; i < 5; i += 1) clock.advance(SECOND);
  expect(log.at("info")).toHaveLength(1);
  stop();
});

test.skipIf(process.platform !== "linux")(
  "a server without descriptors says what to do, and serves again when there are some",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "descriptors-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const config = join(folder, "backpressure.yaml");
    writeFileSync(config, "listeners: { grpc: 127.0.0.1:0, web: 127.0.0.1:0 }\n");
    // 90: what the server has open itself, and a few connections.
    const child = spawn(
      "sh",
      ["-c", `ulimit -n 90; exec "$0" "$@"`, process.execPath, MAIN, "serve", "--config", config],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    onTestFinished(async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    });
    let text = "";
    const said = (what: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const look = () => {
          const found = what.exec(text);
          if (found) resolve(found);
        };
        child.stdout.on("data", look);
        child.stderr.on("data", look);
        child.once("exit", () => reject(new Error(text)));
        look();
      });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        text += chunk;
      });
    }
    const [, port] = await said(/http:\/\/127\.0\.0\.1:(\d+)/);
    const sockets: Socket[] = Array.from({ length: 150 }, () =>
      connect(Number(port), "127.0.0.1").on("error", () => {}),
    );
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await said(/no file descriptors are left/);
    expect(text).toMatch(/ulimit -n/);
    for (const socket of sockets) socket.destroy();
    await said(/file descriptors are free again/);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(text.match(/no file descriptors are left/g)).toHaveLength(1);
  },
  60_000,
);
