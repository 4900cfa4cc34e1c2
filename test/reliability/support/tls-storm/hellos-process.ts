/**
 * Connections in a process of their own that say the first word of TLS at one instant: the server has all of its part of so many
 * handshakes to do at once. Tells how many ms it took until each was answered.
 */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";

const [origin = "", , count = ""] = process.argv.slice(2);
const { hostname, port } = new URL(origin);

/** The first word of a client, which may be said over any connection. */
async function hello(): Promise<Buffer> {
  const said = Promise.withResolvers<Buffer>();
  const carrier = new Duplex({
    read() {},
    write(bytes: Buffer, _, done) {
      said.resolve(bytes);
      done();
    },
  });
  connectTls({ socket: carrier, servername: hostname, ALPNProtocols: ["h2"] }).on("error", () => {});
  const word = await said.promise;
  carrier.destroy();
  return word;
}

async function open(): Promise<Socket> {
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  return socket;
}

const word = await hello();
process.on("disconnect", () => process.exit());
process.on("message", async () => {
  const sockets = await Promise.all(Array.from({ length: Number(count) }, open));
  let failed = 0;
  const answered = sockets.map((socket) => {
    socket.on("error", () => {});
    return Promise.race([once(socket, "data"), once(socket, "close").then(() => (failed += 1))]);
  });
  const begun = performance.now();
  for (const socket of sockets) socket.write(word);
  await Promise.all(answered);
  process.send?.({ took: performance.now() - begun, failed });
  for (const socket of sockets) socket.destroy();
});
process.send?.("ready");
