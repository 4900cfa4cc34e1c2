/**
 * Calls that a proxy cuts off: answers that end as if they were whole, but without their last word, and streams that are
 * refused while their connection is being ended.
 */

import { once } from "node:events";
import { type ClientHttp2Stream, connect, constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { type ClientEvent, createClient, ServerUnavailableError } from "../../../src/client/index.ts";
import { createMailbox } from "../support/mailbox.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1, ttl: 10s }]";

interface Cutter {
  readonly url: string;
  /** Ends all answers that are under way. */
  cut(): void;
  /** Leaves out the end of every answer from now on. */
  spoil(): void;
  /** Refuses so many of the calls that come next. */
  refuse(calls: number): void;
}

/** Leads HTTP/2 to `target`. */
async function startCutter(target: string): Promise<Cutter> {
  const upstream = connect(target);
  const open = new Map<ServerHttp2Stream, ClientHttp2Stream>();
  let spoils = false;
  let refusals = 0;
  const server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (refusals > 0) {
      refusals -= 1;
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const ask = upstream.request(headers, { endStream: false });
    open.set(stream, ask);
    ask.on("error", () => {});
    stream.once("close", () => {
      open.delete(stream);
      ask.close(constants.NGHTTP2_CANCEL);
    });
    stream.pipe(ask);
    ask.once("response", (answer) => {
      stream.respond(answer, { waitForTrailers: true });
      ask.once("trailers", (trailers) =>
        stream.once("wantTrailers", () => (spoils ? stream.close() : stream.sendTrailers(trailers))),
      );
      ask.on("data", (chunk: Buffer) => {
        const isLast = (chunk[0] ?? 0) >= 2;
        if (!spoils || !isLast) stream.write(chunk);
      });
      ask.once("end", () => stream.end());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    upstream.destroy();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      for (const [stream] of open) {
        stream.once("wantTrailers", () => stream.close());
        stream.end();
      }
    },
    spoil() {
      spoils = true;
    },
    refuse(calls) {
      refusals = calls;
    },
  };
}

const WAYS: readonly (readonly [name: string, create: (baseUrl: string) => Transport])[] = [
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
];

test.each(WAYS)("answers that are cut off cost neither a lease nor a place in the queue: %s", async (name, create) => {
  const server = await startRealServer(DB);
  const cutter = await startCutter(name === "gRPC" ? `http://${server.address}` : server.url);
  const near = connectForTest(server.address);
  const events = createMailbox<ClientEvent>();
  const far = createClient({ transport: create(cutter.url), onEvent: events.put });
  onTestFinished(() => far.close());
  const lease = await far.acquire("db");
  const said = createMailbox<number>();
  const early = far.acquire("db", { onWaiting: ({ waitersAhead }) => said.put(waitersAhead) });
  await said.next();
  const late = near.acquire("db");
  while ((await near.limiters.get("db")).status.waiters < 2);
  cutter.cut();
  while ((await events.next()).kind !== "resumed");
  await said.next();
  expect(lease.valid).toBe(true);
  const order: string[] = [];
  early.then(() => order.push("early"));
  late.then(() => order.push("late"));
  expect(await lease.release()).toBe("released");
  await (await early).release();
  await (await late).release();
  expect(order).toEqual(["early", "late"]);
});

test.each(WAYS.filter(([name]) => name !== "Connect"))(
  "an answer that is cut off is none where there is but one: %s",
  async (name, create) => {
    const server = await startRealServer(DB);
    const cutter = await startCutter(name === "gRPC" ? `http://${server.address}` : server.url);
    cutter.spoil();
    const far = createClient({ transport: create(cutter.url), answerWithin: 500 });
    onTestFinished(() => far.close());
    await expect(far.limiters.get("db")).rejects.toBeInstanceOf(ServerUnavailableError);
  },
);

test.each(WAYS)(
  "a call that is refused a few times is made again, and a server that refuses all is none: %s",
  async (name, create) => {
    const server = await startRealServer(DB);
    const cutter = await startCutter(name === "gRPC" ? `http://${server.address}` : server.url);
    // So that nothing else makes a call again.
    const far = createClient({ transport: create(cutter.url), retry: { maxAttempts: 1 } });
    onTestFinished(() => far.close());
    const streamed = async () => {
      for await (const event of far.limiters.watch()) return event.kind;
    };
    for (const refusals of [1, 3]) {
      cutter.refuse(refusals);
      expect((await far.limiters.get("db")).name).toBe("db");
      cutter.refuse(refusals);
      expect(await streamed()).toBe("snapshot");
      cutter.refuse(refusals);
      expect(await (await far.acquire("db")).release()).toBe("released");
    }
    for (const call of [streamed, () => far.limiters.get("db")]) {
      cutter.refuse(4);
      await expect(call()).rejects.toBeInstanceOf(ServerUnavailableError);
    }
  },
);
