/** A way to a server that can be cut, or go silent. */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface TcpProxy {
  /** host:port */
  readonly address: string;
  /** Connections that are open. */
  readonly connections: number;
  /** Cuts all connections. */
  cut(): void;
  /** Swallows everything from now on, in both directions, on connections old and new. */
  silence(): void;
}

/** `target`: host:port. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const [host, port] = target.split(":");
  const sockets = new Set<Socket>();
  let isSilent = false;

  function forward(from: Socket, to: Socket): void {
    sockets.add(from);
    from.on("data", (chunk) => {
      if (!isSilent) to.write(chunk);
    });
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    cut();
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${bound.port}`,
    get connections() {
      return sockets.size / 2;
    },
    cut,
    silence() {
      isSilent = true;
    },
  };
}
