/** Upgrades under leases: as long as their connection, and refused in HTTP. */

import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { createRateLimiter } from "../../src/in-process/index.ts";
import { leaseOf, upgradeAdmission } from "../../src/middleware/http.ts";
import { serve } from "./support.ts";

function upgrade(port: number): Socket {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  onTestFinished(() => void socket.destroy());
  socket.write("GET /chat HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  return socket;
}

async function start(maxWait: number, { isBroken = false } = {}) {
  const limiter = createRateLimiter({ maxConcurrent: 1 });
  const mistakes: unknown[] = [];
  const server = createServer();
  const onError = (error: unknown) => mistakes.push(error);
  server.on(
    "upgrade",
    upgradeAdmission(limiter, { maxWait, onError }, (request, socket: Socket) => {
      if (isBroken) throw new Error("broken");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n${leaseOf(request)?.valid}`,
      );
      socket.pipe(socket);
    }),
  );
  return { limiter, ...(await serve(server, mistakes)) };
}

it("holds a lease as long as the connection", async () => {
  const { limiter, port } = await start(0);
  const socket = upgrade(port);
  const [said] = await once(socket, "data");
  expect(`${said}`).toMatch(/^HTTP\/1\.1 101 .*true$/s);
  expect(await limiter.inFlight()).toBe(1);
  socket.destroy();
  await expect.poll(() => limiter.inFlight()).toBe(0);
});

it("answers 429 and closes", async () => {
  const { limiter, port } = await start(50);
  await using _held = await limiter.acquire();
  const said = await text(upgrade(port));
  expect(said).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
  expect(said).toMatch(/\r\nretry-after: 1\r\n/);
  expect(JSON.parse(said.split("\r\n\r\n")[1] ?? "")).toMatchObject({
    status: 429,
    reason: "WAIT_TIMEOUT",
    waitersAhead: 0,
  });
});

it("keeps what the client sends while it waits", async () => {
  const { limiter, port } = await start(60_000);
  const held = await limiter.acquire();
  const socket = upgrade(port);
  await expect.poll(() => limiter.waiters()).toBe(1);
  socket.write("early ");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await held.release();
  let said = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    said += chunk;
  });
  socket.write("late");
  await expect.poll(() => said).toMatch(/trueearly late$/);
});

it("leaves the queue when its client goes away", async () => {
  const { limiter, port } = await start(60_000);
  await using _held = await limiter.acquire();
  const socket = upgrade(port);
  await expect.poll(() => limiter.waiters()).toBe(1);
  socket.destroy();
  await expect.poll(() => limiter.waiters()).toBe(0);
});

it("lets go, and closes, when its handler throws", async () => {
  const { limiter, port, mistakes } = await start(0, { isBroken: true });
  await once(upgrade(port).resume(), "close");
  await expect.poll(() => limiter.inFlight()).toBe(0);
  expect(mistakes).toMatchObject([{ message: "broken" }]);
});
