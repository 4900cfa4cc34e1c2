/** A TCP proxy on loopback that can become a black hole. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface TcpProxy {
  readonly address: string;
  /** Resolves when so many more bytes have come from clients. */
  fromClient(bytes: number): Promise<void>;
  /** From now on nothing passes, either way, and neither side is notified. */
  blackHole(): void;
  /** From now on nothing is read from the server, whose kernel keeps what it cannot send. */
  stall(): void;
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const pairs: (readonly [client: Socket, server: Socket])[] = [];
  let bytesFromClient = 0;
  let onBytes = () => {};
  const listener = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    pairs.push([client, server]);
    client.on("data", (chunk) => {
      bytesFromClient += chunk.byteLength;
      onBytes();
    });
    client.pipe(server);
    server.pipe(client);
    for (const socket of [client, server]) socket.on("error", () => {});
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  });
  onTestFinished(() => {
    listener.close();
    for (const sockets of pairs) for (const socket of sockets) socket.destroy();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    fromClient(bytes) {
      const enough = bytesFromClient + bytes;
      return new Promise((resolve) => {
        onBytes = () => {
          if (bytesFromClient >= enough) resolve();
        };
      });
    },
    blackHole() {
      for (const sockets of pairs) {
        for (const socket of sockets) {
          socket.unpipe();
          // What comes is read, and goes nowhere.
          socket.on("data", () => {});
        }
      }
    },
    stall() {
      for (const [, server] of pairs) {
        server.unpipe();
        server.pause();
      }
    },
  };
}
