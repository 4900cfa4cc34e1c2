/** Other authorities, or another list of withdrawn certificates: clients whose certificate counts no more are sent away, others go on. */

import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { Agent, request } from "node:https";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Client, connect } from "../../../../src/client/index.ts";
import { startTlsServer, type TlsServer } from "../../../e2e/support/tls-server.ts";
import { type Authority, createAuthority, type Leaf } from "../../../support/certificates.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1000, ttl: 30s }]\n";
/** ms after the files are written: the quiet time in which their writer may go on is a part of it. */
const SOON = 1_000;

let servers: Authority;
let clients: Authority;
let others: Authority;
let withdrawn: Leaf;
let good: Leaf;
let operator: Leaf;

const named = (value: string) => ({ names: [{ type: "dns", value }] as const });

beforeAll(async () => {
  [servers, clients, others] = [
    await createAuthority("servers"),
    await createAuthority("clients"),
    await createAuthority("others"),
  ];
  withdrawn = await clients.issue(named("withdrawn.example"));
  good = await clients.issue(named("good.example"));
  operator = await others.issue(named("operator.example"));
});

/** Both authorities count, and nothing is withdrawn. */
async function start(): Promise<TlsServer> {
  return startTlsServer(DB, {
    leaf: await servers.issue(),
    authority: servers,
    clientCa: `${clients.cert}\n${others.cert}`,
    clientCrl: await lists([]),
  });
}

async function lists(serials: readonly string[]): Promise<string> {
  return `${await clients.withdraw(serials)}\n${await others.withdraw([])}`;
}

let files = 0;

function clientWith({ server, folder, caFile }: TlsServer, { cert, key }: Leaf, sessions: boolean): Client {
  files += 1;
  const own = { certFile: folder.write(`${files}.pem`, cert), keyFile: folder.write(`${files}.key`, key) };
  const client = connect(`https://localhost:${server.grpc.port}`, { tls: { caFile, ...own }, sessions });
  onTestFinished(() => client.close());
  return client;
}

async function sessionWith(
  { server }: TlsServer,
  port: "grpc" | "web",
  { cert, key }: Leaf,
): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://localhost:${server[port].port}`, { ca: servers.cert, cert, key });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  await once(session, "connect");
  return session;
}

async function statesOf(client: Client): Promise<Record<string, string>> {
  const states: Record<string, string> = {};
  for await (const { caller, state } of client.limiters.leases()) states[caller] = state;
  return states;
}

const reviews = ({ log }: TlsServer) => log.lines.filter(({ fields }) => fields.event === "clients-reviewed");
const sentAway = (running: TlsServer) => reviews(running).reduce((sum, { fields }) => sum + Number(fields.sentAway), 0);

describe.each([true, false])("a holder (sessions: %s)", (sessions) => {
  it.each([
    [
      "withdrawn",
      "client_crl_file",
      async ({ folder }: TlsServer) => folder.write("withdrawn.pem", await lists([withdrawn.serial])),
    ],
    [
      "of an authority that counts no more",
      "client_ca_file",
      async ({ folder }: TlsServer) => {
        // The other holder comes with a certificate of the authority that stays.
        folder.write("clients.pem", others.cert);
      },
    ],
  ])("whose certificate is %s is sent away, its lease is orphaned, and others go on", async (_, changed, change) => {
    const running = await start();
    const stays = changed === "client_crl_file" ? good : await others.issue(named("good.example"));
    const away = clientWith(running, withdrawn, sessions);
    const neighbour = clientWith(running, stays, sessions);
    const watcher = clientWith(running, operator, false);
    const [, kept] = [await away.acquire("db"), await neighbour.acquire("db")];
    const raw = await sessionWith(running, "grpc", stays);
    expect(await statesOf(watcher)).toEqual({ "dns:withdrawn.example": "attached", "dns:good.example": "attached" });
    await change(running);
    const began = performance.now();
    await vi.waitFor(
      async () => {
        const states = await statesOf(watcher);
        expect(states).toEqual({ "dns:withdrawn.example": "orphaned", "dns:good.example": "attached" });
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(performance.now() - began).toBeLessThan(SOON);
    await vi.waitFor(() => expect(sentAway(running)).toBeGreaterThan(0), 5_000);
    const taken = running.log.lines.filter(({ fields }) => fields.event === "tls-taken-up");
    expect(taken.at(-1)?.fields.changed).toEqual([changed]);
    await expect(away.tryAcquire("db")).rejects.toThrow();
    // Of the others each is on the connection that it had.
    expect(raw.destroyed || raw.closed).toBe(false);
    expect(kept.signal.aborted).toBe(false);
    expect(await kept.release()).toBe("released");
  });
});

it("a client of HTTP/2 hears GOAWAY, on both ports, and one of HTTP/1.1 is cut off", async () => {
  const running = await start();
  const ports = ["grpc", "web"] as const;
  const sessions = await Promise.all(ports.map((port) => sessionWith(running, port, withdrawn)));
  const goaways = sessions.map((session) => once(session, "goaway"));
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    ca: servers.cert,
    cert: withdrawn.cert,
    key: withdrawn.key,
  });
  onTestFinished(() => agent.destroy());
  const get = () =>
    new Promise<{ reused: boolean }>((resolve, reject) => {
      const asked = request({ agent, host: "localhost", port: running.server.web.port, path: "/" }, (response) => {
        response.resume().once("end", () => resolve({ reused: asked.reusedSocket }));
      });
      asked.on("error", reject).end();
    });
  await get();
  expect((await get()).reused).toBe(true);
  running.folder.write("withdrawn.pem", await lists([withdrawn.serial]));
  await Promise.all(goaways);
  await Promise.all(sessions.map((session) => session.destroyed || once(session, "close")));
  await vi.waitFor(() => expect(sentAway(running)).toBe(3), 5_000);
  await vi.waitFor(async () => expect((await get()).reused).toBe(false), 5_000);
});

it("nobody is looked at when the server's own certificate is renewed, nor sent away when a list says the same", async () => {
  const running = await start();
  const sessions = await Promise.all([withdrawn, good, operator].map((leaf) => sessionWith(running, "grpc", leaf)));
  const { cert, key } = await servers.issue({ subject: "CN=renewed" });
  running.folder.write("server.pem", cert);
  running.folder.write("server.key", key);
  const taken = () => running.log.lines.filter(({ fields }) => fields.event === "tls-taken-up");
  await vi.waitFor(() => expect(taken().at(-1)?.fields).toMatchObject({ subject: "CN=renewed" }), 10_000);
  expect(reviews(running)).toEqual([]);
  // Written anew with nobody on it: all are looked at, and stay.
  running.folder.write("withdrawn.pem", await lists([]));
  await vi.waitFor(() => expect(reviews(running).length).toBeGreaterThanOrEqual(2), 10_000);
  expect(sentAway(running)).toBe(0);
  expect(sessions.map((session) => session.destroyed || session.closed)).toEqual([false, false, false]);
});
