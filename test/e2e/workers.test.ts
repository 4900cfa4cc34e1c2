/** A server with transport workers is one server: its ports, its bounds, and what it says of itself. */

import { once } from "node:events";
import { connect as connectTo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../src/server/config/config.ts";
import { ConfigService } from "../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { createMemoryLog } from "../server/transport/support/memory-log.ts";
import { hold } from "../support/acquire.ts";
import { createGrpcClient } from "../support/grpc-client.ts";

function loaded(yaml: string, ports: { readonly grpc: number; readonly web: number }) {
  const listeners = `listeners: { grpc: "127.0.0.1:${ports.grpc}", web: "127.0.0.1:${ports.web}" }\n`;
  const reading = parseConfig(`${listeners}workers: 2\n${yaml}`, { path: undefined, overrides: [] });
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading;
}

async function start(yaml = "", ports = { grpc: 0, web: 0 }) {
  const log = createMemoryLog();
  const server = await startServer({ config: loaded(yaml, ports), log });
  onTestFinished(() => server.stopNow());
  return { server, log };
}

const portsOf = ({ grpc, web }: Server) => ({ grpc: grpc.port, web: web.port });

test("a second server on its ports is refused, though the system would let it share them", async () => {
  const { server } = await start();
  expect(server.workers).toBe(2);
  await expect(start("", portsOf(server))).rejects.toThrow(
    `cannot listen on 127.0.0.1:${server.grpc.port}: the port is in use`,
  );
});

test("connections are counted over all workers", async () => {
  const { server, log } = await start("limits: { max_connections: 4 }\n");
  const open = new Set<Socket>();
  const sockets = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const socket = connectTo(server.grpc.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
      socket.resume();
      await once(socket, "connect");
      open.add(socket);
      return socket;
    }),
  );
  await expect.poll(() => open.size).toBeLessThanOrEqual(4);
  expect(log.at("warn").map(({ message }) => message)).toContainEqual(expect.stringContaining("as many are open"));
  for (const socket of sockets) socket.destroy();
});

test("every worker says what all of them carry", async () => {
  const { server } = await start("limiters: [{ name: db, max_concurrent: 8 }]\n");
  const address = `127.0.0.1:${server.grpc.port}`;
  await using cleanup = new AsyncDisposableStack();
  for (let holders = 0; holders < 6; holders += 1) await hold(cleanup.use(createGrpcClient(address)), "db");
  for (let i = 0; i < 6; i += 1) {
    await using client = createGrpcClient(address);
    const { status } = await client.call(ConfigService.method.getConfig, {});
    expect(status?.load).toMatchObject({
      streams: [{ method: "ggen.backpressure.v1.AdmissionService/Acquire", open: 6 }],
      webConnections: 0,
    });
    expect(status?.load?.grpcConnections).toBeGreaterThanOrEqual(7);
    // Of three threads.
    expect(Number(status?.load?.heapUsedBytes)).toBeGreaterThan(3e7);
  }
});

test("what a reload changes is said by every worker", async () => {
  const { server } = await start("drain: { timeout: 5s }\n");
  server.reconfigure(loaded("drain: { timeout: 7s }\n", portsOf(server)));
  for (let i = 0; i < 8; i += 1) {
    await using client = createGrpcClient(`127.0.0.1:${server.grpc.port}`);
    const { config } = await client.call(ConfigService.method.getConfig, {});
    expect(config).toMatchObject({ drain: { timeout: { seconds: 7n } }, workers: 2 });
  }
});
