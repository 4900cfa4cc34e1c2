/** With the default ttl nothing that is held is lost by a server that is away for five seconds. */

import { setTimeout as sleep } from "node:timers/promises";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, test } from "vitest";
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

const ENDS = {
  "kill -9": (server: RestartingServer) => server.crash(),
  SIGTERM: (server: RestartingServer) => server.stop(),
} as const;

/** What one client holds: leases and a card, with streams and without. Resolves, when it is asked to end it, with how it ended. */
async function hold(client: Client, card: string): Promise<() => Promise<readonly string[]>> {
  const board = client.board("delivery");
  await board.add({ id: card });
  const leases = [await client.acquire("db"), await client.acquire("db"), await client.tryAcquire("db")];
  const work = await board.pull("Doing");
  return async () => {
    const ends: string[] = [];
    for (const lease of leases) {
      if ("granted" in lease && !lease.granted) throw new Error(lease.message);
      ends.push(lease.signal.aborted ? "lost" : await lease.release());
    }
    if (work.signal.aborted) return [...ends, "lost"];
    await work.finish();
    return [...ends, "finished"];
  };
}

/** Holds over the server's absence, by gRPC and by Connect; resolves with how all of it ended. */
async function holdOver(ttl: string, end: (server: RestartingServer) => Promise<unknown>) {
  await using server = await startRestartingServer(configOf(ttl));
  await using grpc = connect(server.address);
  await using web = createClient({ transport: createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }) });
  const [endGrpc, endWeb] = await Promise.all([hold(grpc, "card-1"), hold(web, "card-2")]);
  await sleep(HELD);
  await end(server);
  await sleep(AWAY);
  await server.start();
  // Whatever the control has not confirmed by now has run out.
  await sleep(1_500);
  return { grpc: await endGrpc(), web: await endWeb() };
}

// One after the other: four servers that start at once take longer on a slow machine than what is held is valid for.
describe.each(Object.entries(ENDS))("%s, and a start five seconds later", (_name, end) => {
  test("all is held on with the default ttl", { timeout: 60_000 }, async ({ expect }) => {
    const all = ["released", "released", "released", "finished"];
    expect(await holdOver("", end)).toEqual({ grpc: all, web: all });
  });

  test("all is lost with a ttl of 6 s", { timeout: 60_000 }, async ({ expect }) => {
    const none = ["lost", "lost", "lost", "lost"];
    expect(await holdOver("ttl: 6s", end)).toEqual({ grpc: none, web: none });
  });
});
