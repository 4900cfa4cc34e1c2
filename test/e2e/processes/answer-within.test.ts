/** Real connections to servers that are missing, frozen, or no servers of this kind: every call comes to its end in time. */

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Client, ConnectOptions } from "../../../src/client/index.ts";
import { startTcpProxy } from "../../client/support/tcp-proxy.ts";
import { connect } from "../../support/connect.ts";
import { startServerProcess } from "../../support/server-process.ts";

/** ms. A loaded machine may be late by a second or so, and the bounds that this replaced were 10 s and more. */
const ANSWER_WITHIN = 500;
const LATE = 2000;

function connectTo(address: string, options: ConnectOptions = {}): Client {
  const client = connect(address, { answerWithin: ANSWER_WITHIN, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Expects a `ServerUnavailableError` in time. */
async function expectUnavailable(call: () => Promise<unknown>, within = ANSWER_WITHIN): Promise<void> {
  const since = performance.now();
  await expect(call()).rejects.toMatchObject({ name: "ServerUnavailableError" });
  expect(performance.now() - since).toBeLessThan(within + LATE);
}

async function listen(onConnection: (socket: Socket) => void): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server;
}

const addressOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;

async function closedPort(): Promise<string> {
  const server = await listen(() => {});
  const address = addressOf(server);
  server.close();
  await once(server, "close");
  return address;
}

const MISSING: readonly (readonly [string, () => Promise<string>])[] = [
  ["a port that is closed", closedPort],
  ["a server that accepts and never says anything", async () => addressOf(await listen(() => {}))],
  ["a server that accepts, reads, and never says anything", async () => addressOf(await listen((one) => one.resume()))],
  [
    "a server that speaks HTTP/1.1",
    async () => addressOf(await listen((one) => one.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"))),
  ],
  ["a server that cuts every connection", async () => addressOf(await listen((one) => one.destroy()))],
  // A network without a route back: packets are swallowed.
  ["an address that swallows what is sent", async () => "192.0.2.1:50051"],
];

test.each(MISSING)("%s costs each kind of call the time to answer at most", async (_, start) => {
  const address = await start();
  for (const call of [
    (client: Client) => client.tryAcquire("db"),
    (client: Client) => client.acquire("db", { maxWait: 500 }),
    (client: Client) => client.acquire("db"),
    (client: Client) => client.limiters.get("db"),
    (client: Client) => client.board("b").pull("InProgress"),
    (client: Client) => client.board("b").finish("c"),
  ]) {
    await expectUnavailable(() => call(connectTo(address)));
  }
});

test("a frozen server costs one call the time to answer, the others nothing, and is found again when it thaws", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 10, ttl: 60s }]");
  const events: string[] = [];
  const client = connectTo(server.address, { onEvent: ({ kind }) => events.push(kind) });
  const held = await client.acquire("db");
  const detached = await client.tryAcquire("db");
  if (!detached.granted) throw new Error(detached.message);
  server.signal("SIGSTOP");
  await expectUnavailable(() => client.tryAcquire("db"));
  const since = performance.now();
  let probes = 0;
  for (let i = 0; i < 200; i += 1) {
    const at = performance.now();
    await client.tryAcquire("db").catch(() => {});
    if (performance.now() - at > ANSWER_WITHIN / 2) probes += 1;
  }
  expect(probes).toBeLessThan(5);
  expect(performance.now() - since).toBeLessThan(probes * ANSWER_WITHIN + LATE);
  // Leases that are held stay what they are.
  expect(held.valid).toBe(true);
  const releasing = performance.now();
  expect(await detached.release()).toBe("unconfirmed");
  expect(performance.now() - releasing).toBeLessThan(ANSWER_WITHIN + LATE);
  server.signal("SIGCONT");
  await expect.poll(() => events.includes("outage-ended"), { timeout: 20_000 }).toBe(true);
  await using next = await client.acquire("db");
  expect(next.valid).toBe(true);
  // The release that went on has arrived.
  // So have the words that withdraw what was asked meanwhile.
  await expect.poll(() => client.controller("db").inFlight(), { timeout: 20_000 }).toBe(2);
});

test("a wait is bounded by its maxWait and the time to answer when the server freezes meanwhile", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]");
  const client = connectTo(server.address);
  await client.acquire("db");
  const waiting = Promise.withResolvers<void>();
  await expectUnavailable(async () => {
    const acquiring = client.acquire("db", { maxWait: 1000, onWaiting: () => waiting.resolve() });
    await waiting.promise;
    server.signal("SIGSTOP");
    await acquiring;
  }, 1000 + ANSWER_WITHIN);
});

test("a connection that is half open after a blip costs the time to answer", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 10 }]");
  const proxy = await startTcpProxy(server.address);
  const client = connectTo(proxy.address);
  // On a busy machine the first call, with its connection, may take longer than the client waits.
  await expect.poll(() => client.limiters.get("db").catch(() => undefined), { timeout: 20_000 }).toBeDefined();
  proxy.silence();
  await expectUnavailable(() => client.tryAcquire("db"));
  await expectUnavailable(() => client.limiters.get("db"), 0);
});
