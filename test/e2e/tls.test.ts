/** Both ports over TLS: what is spoken, who is refused, and what becomes of those that speak something else. */

import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/client/index.ts";
import { type Authority, createAuthority, type Leaf } from "../support/certificates.ts";
import { createTlsFolder } from "../support/tls-folder.ts";
import { startTlsServer, type TlsServer } from "./support/tls-server.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1 }]\n";

let authority: Authority;
let leaf: Leaf;

beforeAll(async () => {
  authority = await createAuthority();
  leaf = await authority.issue();
});

async function start(): Promise<TlsServer> {
  return startTlsServer(DB, { leaf, authority });
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: authority.cert, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

describe("a server with TLS", () => {
  it("serves its own client on the gRPC port, which holds and gives back", async () => {
    const { server, caFile } = await start();
    await using client = connect(`https://localhost:${server.grpc.port}`, { tls: { caFile } });
    const lease = await client.acquire("db");
    expect(lease.valid).toBe(true);
    expect(await lease.release()).toBe("released");
  });

  it("serves HTTP/1.1 and HTTP/2 on the web port, as ALPN says", async () => {
    const { server } = await start();
    const overHttp1 = await new Promise<number | undefined>((resolve, reject) => {
      const options = { port: server.web.port, host: "localhost", ca: authority.cert, agent: false };
      httpsRequest(options, ({ statusCode }) => resolve(statusCode))
        .on("error", reject)
        .end();
    });
    expect(overHttp1).toBe(200);
    const session = connectHttp2(`https://localhost:${server.web.port}`, { ca: authority.cert });
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":path": "/" });
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(200);
    expect(session.alpnProtocol).toBe("h2");
  });

  it("chooses h2, and ends a connection to the gRPC port that has not chosen it", async () => {
    const { server } = await start();
    expect((await handshake(server.grpc.port, { ALPNProtocols: ["h2", "http/1.1"] })).alpnProtocol).toBe("h2");
    await expect(handshake(server.grpc.port, { ALPNProtocols: ["http/1.1"] })).rejects.toThrow(
      /no application protocol/i,
    );
    const silent = await handshake(server.grpc.port);
    silent.resume();
    await once(silent, "close");
  });

  it.each(["TLSv1", "TLSv1.1"] as const)("does not speak %s", async (version) => {
    const { server } = await start();
    const old = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" };
    await expect(handshake(server.grpc.port, old)).rejects.toThrow();
  });

  it("tells a client that speaks plain HTTP/1.1 to come by https", async () => {
    const { server } = await start();
    for (const { port } of [server.grpc, server.web]) {
      const answer = await new Promise<string>((resolve, reject) => {
        httpRequest({ port, host: "127.0.0.1", agent: false }, async (response) => {
          let text = `${response.statusCode} `;
          for await (const chunk of response) text += chunk;
          resolve(text);
        })
          .on("error", reject)
          .end();
      });
      expect(answer).toBe("400 this port speaks TLS: call it by https://\n");
    }
  });

  it("closes a connection that speaks nothing it knows", async () => {
    const { server } = await start();
    const socket = connectTcp(server.grpc.port, "127.0.0.1");
    socket.write(Buffer.from([1, 2, 3, 4]));
    await once(socket, "close");
  });

  it("serves on after a handshake that was garbage", async () => {
    const { server, caFile } = await start();
    for (let i = 0; i < 50; i++) {
      const socket = connectTcp(server.grpc.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume().write(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, i]));
      await once(socket, "close");
    }
    await using client = connect(`https://localhost:${server.grpc.port}`, { tls: { caFile } });
    await using lease = await client.acquire("db");
    expect(lease.valid).toBe(true);
  });
});

describe("a client whose connection fails for its TLS is told what to do", () => {
  const failure = async (address: string, tls?: { caFile?: string; serverName?: string }) => {
    await using client = connect(address, { sessions: false, retry: { maxAttempts: 1 }, ...(tls && { tls }) });
    return await client.tryAcquire("db").then(
      () => "none",
      (error: Error) => `${error.name}: ${error.message}`,
    );
  };

  it("about an authority that it does not trust", async () => {
    const { server } = await start();
    expect(await failure(`https://localhost:${server.grpc.port}`)).toMatch(
      /ServerUnavailableError.*does not trust\. Name that authority's certificate with tls\.caFile/,
    );
  });

  it("about a name that the certificate does not have", async () => {
    const { server, caFile } = await start();
    const message = await failure(`https://localhost:${server.grpc.port}`, { caFile, serverName: "other.example" });
    expect(message).toMatch(/its certificate is for other names/);
  });

  it("about plain text to a TLS port", async () => {
    const { server } = await start();
    expect(await failure(`localhost:${server.grpc.port}`)).toMatch(
      /it speaks TLS there\. Write the address with https:/,
    );
  });

  it("about TLS to a plain port", async () => {
    const plain = await startTlsServer(DB, undefined);
    expect(await failure(`https://localhost:${plain.server.grpc.port}`)).toMatch(/it speaks plain text there/);
  });

  it("about a file that is not there", async () => {
    const { server } = await start();
    const message = await failure(`https://localhost:${server.grpc.port}`, { caFile: "/nowhere/ca.pem" });
    expect(message).toMatch(/tls\.caFile \(\/nowhere\/ca\.pem\): there is no such file/);
  });

  it("about options that do not go together", () => {
    expect(() => connect("localhost:1", { tls: {} })).toThrow(/write the address as "https:\/\/localhost:1"/);
    expect(() => connect("https://localhost:1", { tls: { certFile: "a" } })).toThrow(/belong together/);
    expect(() => connect("backpressure.example:1", { token: "t" })).toThrow(/not sent to .* in plain text/);
    expect(() => connect("localhost:1", { token: "t" })).not.toThrow();
  });
});

describe("a server that asks clients for certificates", () => {
  it("serves a client of its authority, and no other", async () => {
    const { server, caFile } = await startTlsServer(DB, { leaf, authority, clientCa: authority.cert });
    const folder = createTlsFolder();
    const address = `https://localhost:${server.grpc.port}`;
    const tlsOf = ({ cert, key }: Leaf, name: string) => ({
      caFile,
      certFile: folder.write(`${name}.pem`, cert),
      keyFile: folder.write(`${name}.key`, key),
    });
    const own = tlsOf(await authority.issue({ subject: "CN=client" }), "own");
    await using client = connect(address, { tls: own });
    await using lease = await client.acquire("db");
    expect(lease.valid).toBe(true);
    const foreign = tlsOf(await (await createAuthority("others")).issue(), "foreign");
    for (const tls of [{ caFile }, foreign]) {
      await using refused = connect(address, { tls, sessions: false, retry: { maxAttempts: 1 } });
      await expect(refused.tryAcquire("db")).rejects.toThrow();
    }
  });
});
