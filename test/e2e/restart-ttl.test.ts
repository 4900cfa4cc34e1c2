/** With the default ttl nothing that is held is lost by a server that is away for five seconds. */

import { setTimeout as sleep } from "node:timers/promises";
import { createConnectTransport } from "@connectrpc/connect-node";
import { test } from "vitest";
import { type Client, connect, createClient } from "../../src/client/index.ts";
import { type RestartingServer, startRestartingServer } from "../support/restarting-server.ts";

/** `ttl: …`, or nothing: the default. */
const configOf = (ttl: string) => `
limiters: [{ name: db, max_concurrent: 100, ${ttl} }]
boards: [{ name: delivery, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }], ${ttl} }]
`;

/** ms that the server is away, from its end to its next start. */
const AWAY = 5_000;
/**
 * ms from the grant to the end of the server: less than the 4.5 s after which a lease with the default ttl is renewed at the
 * earliest, so that its validity is the oldest that it can be.
 */
const HELD = 4_300;

const CLIENTS = {
  gRPC: ({ address }: RestartingServer) => connect(address),
  Connect: ({ url }: RestartingServer) =>
    createClient({ transport: createConnectTransport({ baseUrl: url, httpVersion: "1.1" }) }),
} as const;

const ENDS = {
  "kill -9": (server: RestartingServer) => server.crash(),
  SIGTERM: (server: RestartingServer) => server.stop(),
} as const;

const WAYS = Object.entries(CLIENTS).flatMap(([protocol, open]) =>
  Object.entries(ENDS).map(([name, end]) => [protocol, name, open, end] as const),
);

/** Holds leases and cards, with streams and without, over the server's absence; resolves with how each ended. */
async function holdOver(
  ttl: string,
  open: (server: RestartingServer) => Client,
  end: (server: RestartingServer) => Promise<unknown>,
): Promise<readonly string[]> {
  await using server = await startRestartingServer(configOf(ttl));
  await using client = open(server);
  const board = client.board("delivery");
  await board.add({ id: "card-1" });
  const leases = [await client.acquire("db"), await client.acquire("db"), await client.tryAcquire("db")];
  const work = await board.pull("Doing");
  await sleep(HELD);
  await end(server);
  await sleep(AWAY);
  await server.start();
  // Whatever has not been confirmed since then has run out by now, with the ttl of the control.
  await sleep(1_500);
  const ends: string[] = [];
  for (const lease of leases) {
    if ("granted" in lease && !lease.granted) throw new Error(lease.message);
    ends.push(lease.signal.aborted ? "lost" : await lease.release());
  }
  if (work.signal.aborted) ends.push("lost");
  else ends.push((await work.finish()) === undefined ? "finished" : "finished with a card");
  return ends;
}

test.concurrent.for(WAYS)("%s, %s: all is held on", { timeout: 60_000 }, async ([, , open, end], { expect }) => {
  expect(await holdOver("", open, end)).toEqual([
    "released",
    "released",
    "released",
    expect.stringMatching(/^finished/),
  ]);
});

test.concurrent.for(WAYS)(
  "%s, %s: with a ttl of 6 s all is lost",
  { timeout: 60_000 },
  async ([, , open, end], { expect }) => {
    expect(await holdOver("ttl: 6s", open, end)).toEqual(["lost", "lost", "lost", "lost"]);
  },
);
