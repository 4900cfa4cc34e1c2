/** Files of TLS that change under a running server. */

import { once } from "node:events";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, it, onTestFinished, vi } from "vitest";
import { connect } from "../../../../src/client/index.ts";
import { startTlsServer, type TlsServer } from "../../../e2e/support/tls-server.ts";
import { createAuthority, type Leaf } from "../../../support/certificates.ts";
import { scrape } from "../../../support/scrape.ts";
import { startTestServer } from "../../../support/server.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1000 }]\n";
const TAKEN = "TLS is spoken with this certificate";
const REFUSED = "the files of TLS have changed and cannot be used; what is in force stays";

const authority = await createAuthority();

async function start(clientCa?: string): Promise<TlsServer> {
  return startTlsServer(DB, {
    leaf: await authority.issue({ subject: "CN=first" }),
    authority,
    ...(clientCa && { clientCa }),
  });
}

function write({ folder }: TlsServer, { cert, key }: Leaf): void {
  folder.write("server.pem", cert);
  folder.write("server.key", key);
}

async function handshake(port: number, identity: Partial<Leaf> = {}): Promise<TLSSocket> {
  const own = identity.cert === undefined ? {} : { cert: identity.cert, key: identity.key };
  const socket = connectTls({
    port,
    host: "localhost",
    servername: "localhost",
    ca: authority.cert,
    ALPNProtocols: ["h2"],
    ...own,
  });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

async function presented(port: number): Promise<string | undefined> {
  const socket = await handshake(port);
  const { subject } = socket.getPeerX509Certificate() ?? {};
  socket.destroy();
  return subject;
}

function lines({ log }: TlsServer, message: string) {
  return log.lines.filter((line) => line.message === message);
}

it("both ports present a renewed certificate, and what is open goes on", async () => {
  const running = await start();
  const { server, caFile } = running;
  await using client = connect(`https://localhost:${server.grpc.port}`, { tls: { caFile } });
  const lease = await client.acquire("db");
  const open = await handshake(server.grpc.port);
  write(running, await authority.issue({ subject: "CN=second" }));
  await vi.waitFor(() => expect(lines(running, TAKEN)).toHaveLength(2), 10_000);
  expect(lines(running, TAKEN)[1]?.fields).toMatchObject({ subject: "CN=second", issuer: "CN=authority of tests" });
  for (const { port } of [server.grpc, server.web]) {
    await vi.waitFor(async () => expect(await presented(port)).toBe("CN=second"), 10_000);
  }
  expect(open.destroyed).toBe(false);
  expect(lease.valid).toBe(true);
  expect(await lease.release()).toBe("released");
});

it("no call fails while certificates are renewed again and again", async () => {
  const running = await start();
  const { server, caFile } = running;
  let isOver = false;
  let calls = 0;
  const load = async () => {
    while (!isOver) {
      // A connection of its own each time.
      await using client = connect(`https://localhost:${server.grpc.port}`, {
        tls: { caFile },
        sessions: false,
        retry: { maxAttempts: 1 },
      });
      const lease = await client.acquire("db");
      await lease.release();
      calls += 1;
    }
  };
  const loads = [load(), load()];
  for (let round = 1; round <= 5; round++) {
    const subject = `CN=round ${round}`;
    write(running, await authority.issue({ subject }));
    await vi.waitFor(async () => expect(await presented(server.grpc.port)).toBe(subject), 10_000);
  }
  isOver = true;
  await Promise.all(loads);
  expect(calls).toBeGreaterThan(5);
});

it("a bad file changes nothing, and is logged once", async () => {
  const running = await start();
  const { server, folder } = running;
  folder.write("server.pem", "nonsense");
  await vi.waitFor(() => expect(lines(running, REFUSED)).toHaveLength(1), 10_000);
  expect(lines(running, REFUSED)[0]?.fields).toMatchObject({
    problem: expect.stringMatching(/tls\.cert_file .* has no certificate in PEM/),
    failures: 1,
  });
  // The same again is no news.
  server.reloadTls();
  expect(await presented(server.grpc.port)).toBe("CN=first");
  // A key that is another's is.
  const { cert } = await authority.issue({ subject: "CN=other" });
  folder.write("server.pem", cert);
  await vi.waitFor(() => expect(lines(running, REFUSED)).toHaveLength(2), 10_000);
  expect(lines(running, REFUSED)[1]?.fields).toMatchObject({
    problem: expect.stringMatching(/is not the key of the first certificate/),
    failures: 2,
  });
  expect(await presented(server.grpc.port)).toBe("CN=first");
  expect(JSON.stringify(running.log.lines)).not.toContain("PRIVATE KEY");
});

it("metrics say until when the certificate in force is good, and how often files were refused", async () => {
  const MINUTE = 60_000;
  const [soon, later] = [Date.now() + 10 * MINUTE, Date.now() + 20 * MINUTE].map((at) => Math.floor(at / 1_000));
  const until = (seconds = 0) => authority.issue({ notAfter: seconds * 1_000 - Date.now() });
  const running = await startTlsServer('metrics: { listen: "127.0.0.1:0" }\n', { leaf: await until(soon), authority });
  const said = async () => {
    const read = await scrape(`http://127.0.0.1:${running.server.metrics?.port}`);
    return ["certificate_not_after_timestamp_seconds", "last_reload_successful", "reload_failures_total"].map((name) =>
      read.value(`backpressure_tls_${name}`),
    );
  };
  expect(await said()).toEqual([soon, 1, 0]);
  running.folder.write("server.pem", "nonsense");
  await expect.poll(said).toEqual([soon, 0, 1]);
  write(running, await until(later));
  await expect.poll(said).toEqual([later, 1, expect.any(Number)]);
});

it("a server without TLS says nothing of it", async () => {
  await using server = await startTestServer(DB);
  expect((await scrape(server.url)).text).not.toContain("backpressure_tls_");
});

it("clients of an authority that was swapped are refused from the next connection on", async () => {
  const clients = await createAuthority("clients");
  const running = await start(clients.cert);
  const { server, folder, caFile } = running;
  const own = await clients.issue({ subject: "CN=client" });
  const tls = { caFile, certFile: folder.write("own.pem", own.cert), keyFile: folder.write("own.key", own.key) };
  const tryOnce = async () => {
    await using client = connect(`https://localhost:${server.grpc.port}`, {
      tls,
      sessions: false,
      retry: { maxAttempts: 1 },
    });
    return await client.tryAcquire("db").then(
      () => "served",
      () => "refused",
    );
  };
  expect(await tryOnce()).toBe("served");
  folder.write("clients.pem", (await createAuthority("clients")).cert);
  await vi.waitFor(async () => expect(await tryOnce()).toBe("refused"), 10_000);
});

it("a certificate that is withdrawn is refused from the next connection on", async () => {
  const clients = await createAuthority("clients");
  const [good, bad] = [await clients.issue(), await clients.issue()];
  const running = await startTlsServer(DB, {
    leaf: await authority.issue(),
    authority,
    clientCa: clients.cert,
    clientCrl: await clients.withdraw([]),
  });
  const { server, folder, caFile } = running;
  const tryOnce = async (leaf: Leaf) => {
    const tls = { caFile, certFile: folder.write("own.pem", leaf.cert), keyFile: folder.write("own.key", leaf.key) };
    await using client = connect(`https://localhost:${server.grpc.port}`, {
      tls,
      sessions: false,
      retry: { maxAttempts: 1 },
    });
    return await client.tryAcquire("db").then(
      () => "served",
      () => "refused",
    );
  };
  expect([await tryOnce(good), await tryOnce(bad)]).toEqual(["served", "served"]);
  folder.write("withdrawn.pem", await clients.withdraw([bad.serial]));
  await vi.waitFor(async () => expect(await tryOnce(bad)).toBe("refused"), 10_000);
  expect(await tryOnce(good)).toBe("served");
});
