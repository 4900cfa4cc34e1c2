import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { BoundAddress } from "../../../../src/server/transport/port/options.ts";
import { callFrame, headersFrame, PREFACE, resetFrame, SETTINGS_ACK } from "../support/http2-frames.ts";

/** What aborts Node after some hundred such connections; see `session-keeper.ts`. */
const FOUR_FRAMES = [
  callFrame(1, "/x"),
  headersFrame(3, { ":method": "POST", ":scheme": "http", ":authority": "a", "x-a": "b".repeat(50) }),
  resetFrame(3),
  resetFrame(1001),
];
const CONNECTIONS = 3_000;
const AT_ONCE = 16;

async function startPortProcess() {
  const script = fileURLToPath(new URL("../support/port-process.ts", import.meta.url));
  // A small nursery: the collector comes often, and that is what aborts.
  const child = fork(script, [], { execArgv: ["--max-semi-space-size=1"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [{ port }] = (await once(child, "message")) as [BoundAddress];
  return { child, port };
}

test("headers that are none, on a connection that breaks off, do no harm", async () => {
  const { child, port } = await startPortProcess();
  const packet = Buffer.concat([PREFACE, SETTINGS_ACK, ...FOUR_FRAMES]);
  let left = CONNECTIONS;
  const attack = async () => {
    while (left > 0 && child.exitCode === null && child.signalCode === null) {
      left -= 1;
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume().write(packet);
      await new Promise((resolve) => socket.once("close", resolve));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attack));
  expect(child.signalCode).toBe(null);
});
