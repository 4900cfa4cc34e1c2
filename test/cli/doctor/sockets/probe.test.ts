/** What speaks at a port, by its first bytes. */

import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { probe } from "../../../../src/cli/doctor/probe.ts";
import { startTestServer } from "../../../support/server.ts";
import { closedPort } from "../../support/closed-port.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers the first bytes with these. */
const answering = (bytes: Buffer) => createServer((socket) => void socket.once("data", () => void socket.write(bytes)));

describe("a port", () => {
  it("where nothing listens", async () => {
    expect(await probe(`http://${await closedPort()}`)).toEqual({ kind: "no-connection", code: "ECONNREFUSED" });
  });

  it("of the server, in plain text and as if it spoke TLS", async () => {
    await using server = await startTestServer("limiters: []");
    expect(await probe(`http://${server.address}`)).toEqual({ kind: "http2" });
    expect(await probe(`https://${server.address}`)).toEqual({ kind: "no-tls" });
  });

  it("that speaks TLS", async () => {
    const alert = Buffer.from([0x15, 3, 3, 0, 2, 2, 70]);
    expect(await probe(`http://${await listen(answering(alert))}`)).toEqual({ kind: "wants-tls" });
  });

  it("that speaks HTTP/1.1", async () => {
    const found = await probe(`http://${await listen(createHttpServer())}`);
    expect(found).toMatchObject({ kind: "other-protocol", begins: expect.stringMatching(/^HTTP\/1\.1 /) });
  });

  it("that says nothing", async () => {
    expect(await probe(`http://${await listen(createServer(() => {}))}`)).toEqual({ kind: "silent" });
  });
});
