/** No renewal fails, whatever protocol it takes and however long the way is. */

import { Agent } from "node:http";
import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { type Client, type ClientEvent, createClient } from "../../src/client/index.ts";
import { startRealServer } from "../client/support/real-server.ts";
import { startSlowWay } from "../client/support/slow-way.ts";

const CONFIG = `
limiters: [{ name: db, max_concurrent: 1000, ttl: 20s }]
boards: [{ name: delivery, ttl: 20s, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }] }]
`;

const WAYS = ["Connect over HTTP/1.1", "Connect over HTTP/2", "gRPC-Web", "gRPC"] as const;

/** A transport that counts its renewals, each lease and card by itself, and tells which calls have failed. */
function counting(
  transport: Transport,
  onFailed: (error: unknown) => void,
): { readonly transport: Transport; readonly renewals: () => number } {
  let renewals = 0;
  return {
    renewals: () => renewals,
    transport: {
      async unary(method, signal, timeoutMs, header, input, context) {
        const asked = transport.unary(method, signal, timeoutMs, header, input, context);
        if (method.name.startsWith("Renew")) asked.catch(onFailed);
        const answer = await asked;
        const { results } = answer.message as {
          readonly results?: readonly { readonly result: { readonly case?: string } }[];
        };
        if (method.name.startsWith("Renew")) {
          for (const { result } of results ?? []) {
            expect(result.case).toBe("renewed");
            renewals += 1;
          }
        }
        return answer;
      },
      stream: (...asked) => transport.stream(...asked),
    },
  };
}

function transportBy(way: (typeof WAYS)[number], baseUrl: string): Transport {
  if (way === "Connect over HTTP/1.1") {
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    return createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { agent } });
  }
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  const options = { baseUrl, httpVersion: "2", sessionManager } as const;
  switch (way) {
    case "Connect over HTTP/2":
      return createConnectTransport(options);
    case "gRPC-Web":
      return createGrpcWebTransport(options);
    case "gRPC":
      return createGrpcTransport(options);
  }
}

async function holdMany(client: Client) {
  const leases = await Promise.all(Array.from({ length: 40 }, () => client.acquire("db")));
  const detached = await Promise.all(Array.from({ length: 40 }, () => client.tryAcquire("db")));
  const board = client.board("delivery");
  await Promise.all(Array.from({ length: 80 }, (_, i) => board.add({ id: `card-${i}` })));
  const works = await Promise.all(Array.from({ length: 40 }, () => board.pull("Doing")));
  const taken = await Promise.all(Array.from({ length: 40 }, () => board.tryPull("Doing", { ttl: 20_000 })));
  return [...leases, ...detached, ...works, ...taken].map((held) => {
    if ("granted" in held && !held.granted) throw new Error(held.message);
    return held;
  });
}

/** Holds leases and cards until they have been renewed 500 times; resolves with what went wrong. */
async function renewOften(way: (typeof WAYS)[number], roundTrip: number): Promise<readonly unknown[]> {
  const server = await startRealServer(CONFIG);
  const target = way === "gRPC" ? server.address : new URL(server.url).host;
  const wrong: unknown[] = [];
  // A client that closes cancels the renewals that are under way.
  let closing = false;
  const { transport, renewals } = counting(
    transportBy(way, `http://${await startSlowWay(target, roundTrip)}`),
    (error) => {
      if (!closing) wrong.push(error);
    },
  );
  const client = createClient({ transport, answerWithin: 20_000, onEvent: (event) => wrong.push(event) });
  const held = await holdMany(client);
  while (renewals() < 500 && wrong.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const { signal } of held) if (signal.aborted) wrong.push(signal.reason);
  }
  closing = true;
  await client.close();
  return wrong;
}

test.each([0, 300])(
  "at %i ms round trip none of 500 renewals fails, of leases and cards, by any protocol",
  async (ms) => {
    const wrong = await Promise.all(WAYS.map(async (way) => [way, await renewOften(way, ms)]));
    expect(wrong).toEqual(WAYS.map((way) => [way, []]));
  },
  90_000,
);

test("a renewal that fails is reported to onEvent, of leases and of cards", async () => {
  const { address } = await startRealServer(CONFIG);
  const sessionManager = new Http2SessionManager(`http://${address}`);
  onTestFinished(() => sessionManager.abort());
  const grpc = createGrpcTransport({ baseUrl: `http://${address}`, sessionManager });
  const failing: Transport = {
    async unary(method, ...rest) {
      if (method.name.startsWith("Renew")) throw new Error("no renewal today");
      return grpc.unary(method, ...rest);
    },
    stream: (...asked) => grpc.stream(...asked),
  };
  const kinds = new Map<string, ClientEvent>();
  const client = createClient({ transport: failing, onEvent: (event) => kinds.set(event.kind, event) });
  const lease = await client.acquire("db");
  const board = client.board("delivery");
  await board.add({ id: "card-1" });
  await board.pull("Doing");
  while (kinds.size < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(kinds.get("renewal-failed")).toMatchObject({ leaseId: lease.id, error: { message: "no renewal today" } });
  expect(kinds.get("work-renewal-failed")).toMatchObject({ board: "delivery", card: "card-1" });
  await client.close();
});
