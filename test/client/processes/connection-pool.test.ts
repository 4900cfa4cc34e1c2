import { fork } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSystemClock } from "../../../src/client/rpc/clock.ts";
import { type ConnectionPool, createConnectionPool } from "../../../src/client/transport/connection-pool.ts";
import { createMailbox } from "../support/mailbox.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

/** Of calls that the pool lets rest. */
const RESTING_PATH = "/resting";
const IDLE_CALLER = fileURLToPath(new URL("../support/idle-caller.ts", import.meta.url));

/** A server that keeps every call open until the test ends it, and counts them for each connection. */
async function startHoldingServer(maxConcurrentStreams: number) {
  const streams = createMailbox<ServerHttp2Stream>();
  const most = new Map<object, number>();
  const server: Http2Server = createServer({ settings: { maxConcurrentStreams } });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    let open = 0;
    sessions.add(session);
    session.on("stream", (stream) => {
      open += 1;
      most.set(session, Math.max(open, most.get(session) ?? 0));
      stream.on("close", () => {
        open -= 1;
      });
      stream.on("error", () => {});
      stream.respond({ ":status": 200 });
      streams.put(stream);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, streams, most: () => [...most.values()], sessions };
}

function createPool(origin: string, maxStreams = 1000, pingInterval = 10_000) {
  const pool = createConnectionPool({
    clock: createSystemClock(),
    origin,
    pingInterval,
    pingTimeout: 5000,
    maxStreams,
    restingPath: RESTING_PATH,
  });
  onTestFinished(() => pool.close());
  return pool;
}

/** A call as the transport makes it, which hears of errors. */
async function open(pool: ConnectionPool) {
  const stream = await pool.request("POST", "/", {}, {});
  stream.on("error", () => {});
  return stream;
}

describe("a pool of connections", () => {
  it("opens one connection for as many calls as one may have, and another for the next", async () => {
    const { origin, streams, most } = await startHoldingServer(4000);
    const pool = createPool(origin, 1000);
    const calls = Array.from({ length: 2500 }, () => open(pool));
    for (let i = 0; i < calls.length; i += 1) await streams.next();
    expect(pool.load()).toEqual([1000, 1000, 500]);
    expect(most()).toEqual([1000, 1000, 500]);
  });

  it("heeds a lower limit of the server from the first call on, so that none is refused", async () => {
    const { origin, streams, most } = await startHoldingServer(3);
    const pool = createPool(origin);
    await Promise.all(Array.from({ length: 10 }, () => open(pool)));
    for (let i = 0; i < 10; i += 1) await streams.next();
    expect(pool.load()).toEqual([3, 3, 3, 1]);
    expect(most()).toEqual([3, 3, 3, 1]);
  });

  it("uses a place again as soon as the call that had it has ended", async () => {
    const { origin, streams } = await startHoldingServer(2);
    const pool = createPool(origin);
    const [first] = await Promise.all([open(pool), open(pool)]);
    await streams.next();
    const closed = once(first, "close");
    first.close();
    await closed;
    await open(pool);
    expect(pool.load()).toEqual([2]);
  });

  it("connects anew when its connection was lost", async () => {
    const { origin, streams, sessions } = await startHoldingServer(100);
    const pool = createPool(origin);
    const first = await open(pool);
    await streams.next();
    const lost = once(first, "close");
    for (const session of sessions) session.destroy();
    await lost;
    expect(pool.load()).toEqual([0]);
    await open(pool);
    await streams.next();
    expect(pool.load()).toEqual([1]);
    expect(sessions.size).toBe(2);
  });

  it("fails all calls that wait for a connection which cannot be made, and tries anew for the next", async () => {
    const pool = createPool("http://127.0.0.1:1");
    const calls = await Promise.allSettled(Array.from({ length: 5 }, () => open(pool)));
    expect(calls.map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
    await expect(open(pool)).rejects.toThrow("ECONNREFUSED");
    expect(pool.load()).toEqual([0]);
  });

  it("fails all calls, as unavailable, that wait for a connection which closes before the server has said anything", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const pool = createPool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    // One goes ahead; the others wait for what comes of it.
    const [, ...waiting] = await Promise.allSettled(Array.from({ length: 3 }, () => open(pool)));
    for (const call of waiting) {
      expect(call).toMatchObject({ status: "rejected", reason: { code: Code.Unavailable } });
    }
  });

  it("gives the process up to its end while nothing but a resting call is open, and takes it back for any other", async () => {
    const { origin, streams } = await startHoldingServer(100);
    const pool = createPool(origin);
    const [resting] = await Promise.all([pool.request("POST", RESTING_PATH, {}, {}), streams.next()]);
    resting.on("error", () => {});
    const session = resting.session as ClientHttp2Session;
    const keeps = () => (session.socket as Socket & { _handle: { hasRef(): boolean } })._handle.hasRef();
    const seen = [keeps()];
    pool.rest(true);
    seen.push(keeps());
    const other = await open(pool);
    seen.push(keeps());
    const closed = once(other, "close");
    other.close();
    await closed;
    seen.push(keeps());
    pool.rest(false);
    seen.push(keeps());
    expect(seen).toEqual([true, false, true, false, true]);
  });

  it("connects no more when it is closed while a call makes sure of its connection", async () => {
    const { origin } = await startHoldingServer(100);
    const proxy = await startTcpProxy(new URL(origin).host);
    // Any moment is a silence then.
    const pool = createPool(`http://${proxy.address}`, 100, 0);
    const first = await open(pool);
    // The server's settings come before.
    await once(first, "response");
    proxy.silence();
    const call = open(pool);
    pool.close();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
  });

  it("replaces a connection once that is lost while one call makes sure of it and another comes", async () => {
    const { origin, streams } = await startHoldingServer(100);
    const answering = async () => {
      for (;;) (await streams.next()).end();
    };
    void answering();
    const proxy = await startTcpProxy(new URL(origin).host);
    const caller = fork(IDLE_CALLER, [`http://${proxy.address}`], {
      silent: true,
      execArgv: ["--no-warnings"],
      timeout: 20_000,
    });
    const ended = once(caller, "exit");
    const stderr = text(caller.stderr as Readable);
    await once(caller, "message");
    proxy.silence();
    await proxy.heal();
    caller.send("go on");
    const [answered] = await once(caller, "message");
    // Of connections that nothing listens to, too.
    proxy.reset();
    const [code] = await ended;
    expect({ answered, code, stderr: await stderr }).toEqual({
      answered: ["after", "checking", "first", "meanwhile"],
      code: 0,
      stderr: "",
    });
  });
});
