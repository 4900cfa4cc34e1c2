/** Ports that several threads listen on: whether the system has them, and whether one is free. */

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { listen } from "./listen.ts";

/**
 * Resolves with whether two listeners of this process can share a port (SO_REUSEPORT), of which the system then spreads the
 * connections. Linux has that, with Node from 22.12 on; others do not, or give all connections to the last listener.
 */
export async function canSharePorts(): Promise<boolean> {
  const [first, second] = [createServer(), createServer()];
  try {
    const { port } = await listen(first, "127.0.0.1:0", true);
    await listen(second, `127.0.0.1:${port}`, true);
    return true;
  } catch {
    return false;
  } finally {
    await Promise.all([close(first), close(second)]);
  }
}

/**
 * Rejects as `listen` does if something listens on this address. Another server that shares its ports would otherwise get a part
 * of the connections without a word.
 */
export async function ensureFree(address: string): Promise<void> {
  const server = createServer();
  try {
    await listen(server, address);
  } finally {
    await close(server);
  }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, "close");
}
