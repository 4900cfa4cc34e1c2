/** Ports that are known before anything listens there. */

import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that the system gives to connections, so that none of these takes one meanwhile. */
const LOWEST = 20_000;
const COUNT = 10_000;

/** Resolves with a port on loopback where nothing listens now. */
export async function unusedPort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    if (await isUnused(port)) return port;
  }
}

async function isUnused(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
