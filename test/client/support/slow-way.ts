/** A way to a server on which everything takes a while: a long line, as far as its ends can tell. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Leads to `target` (host:port); what is sent arrives `roundTrip / 2` ms later, each way, in order. Returns host:port. */
export async function startSlowWay(target: string, roundTrip: number): Promise<string> {
  const sockets = new Set<Socket>();
  const later = (what: () => void) => (roundTrip === 0 ? what() : void setTimeout(what, roundTrip / 2));

  function forward(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (chunk) => later(() => to.write(chunk)));
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      later(() => to.destroySoon());
    });
  }

  const server = createServer((client) => {
    const [host, port] = target.split(":");
    const upstream = connect(Number(port), host);
    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
