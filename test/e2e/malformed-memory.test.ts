import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createConnectClient } from "../support/connect-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { MALFORMED_FOR, MALFORMED_REQUESTS, occupy } from "./support/malformed-requests.ts";

const HEAP_REPORTER = fileURLToPath(new URL("support/heap-reporter.ts", import.meta.url));

/** Of all requests, over each of three wires. */
const ROUNDS = 5;
/** What compiled code and the like may grow by; keeping anything of a request would cost more. */
const BYTES_A_REQUEST = 512;

async function heapOf({ process }: ServerProcess): Promise<number> {
  process.send("?");
  const [bytes] = await once(process, "message");
  return bytes;
}

test("the memory of thousands of malformed requests comes back", async () => {
  await using server = await startServerProcess(MALFORMED_FOR, {
    nodeArguments: ["--expose-gc", "--import", HEAP_REPORTER],
    ipc: true,
  });
  await using watcher = createGrpcClient(server.address);
  await occupy(watcher);

  const send = async (rounds: number) => {
    await using grpc = createGrpcClient(server.address);
    await using web = createConnectClient(server.url, { protocol: "grpc-web", httpVersion: "1.1" });
    await using connect = createConnectClient(server.url, { protocol: "connect", httpVersion: "2" });
    const work = [grpc, web, connect].map(async (client) => {
      for (let round = 0; round < rounds; round += 1) {
        for (const request of MALFORMED_REQUESTS) await request.send(client);
      }
    });
    await Promise.all(work);
  };

  // What is made once, such as compiled rules, is there after the first round.
  await send(1);
  const before = await heapOf(server);
  await send(ROUNDS);
  expect((await heapOf(server)) - before).toBeLessThan(3 * ROUNDS * MALFORMED_REQUESTS.length * BYTES_A_REQUEST);
}, 90_000);
