import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createConnectClient } from "../../support/connect-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import { MALFORMED_FOR, MALFORMED_REQUESTS, occupy } from "../support/malformed-requests.ts";

const HEAP_REPORTER = fileURLToPath(new URL("../support/heap-reporter.ts", import.meta.url));

const ROUNDS = 5;
const REQUESTS = 3 * MALFORMED_REQUESTS.length;
/** Keeping anything of a request would cost more. */
const BYTES_A_REQUEST = 512;

async function heapOf({ process }: ServerProcess): Promise<number> {
  process.send("?");
  const [bytes] = await once(process, "message");
  return bytes;
}

test("the memory of thousands of malformed requests comes back", async () => {
  await using server = await startServerProcess(`workers: 0\n${MALFORMED_FOR}`, {
    nodeArguments: ["--expose-gc", "--import", HEAP_REPORTER],
  });
  await using watcher = createGrpcClient(server.address);
  await occupy(watcher);

  const growth: number[] = [];
  let before = await heapOf(server);
  for (let round = 0; round < ROUNDS; round += 1) {
    await sendAll(server);
    const after = await heapOf(server);
    growth.push(after - before);
    before = after;
  }
  // What is made once, such as compiled code, comes in one round or another; what is kept of requests comes in each.
  expect(Math.min(...growth.slice(1))).toBeLessThan(REQUESTS * BYTES_A_REQUEST);
  expect(ROUNDS * REQUESTS).toBeGreaterThan(1_500);
}, 90_000);

/** All of them, over each of three wires, on connections of their own. */
async function sendAll({ address, url }: ServerProcess): Promise<void> {
  await using grpc = createGrpcClient(address);
  await using web = createConnectClient(url, { protocol: "grpc-web", httpVersion: "1.1" });
  await using connect = createConnectClient(url, { protocol: "connect", httpVersion: "2" });
  const work = [grpc, web, connect].map(async (client) => {
    for (const { send } of MALFORMED_REQUESTS) await send(client);
  });
  await Promise.all(work);
}
