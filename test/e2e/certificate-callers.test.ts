/** Client certificates: which name they give, and which give none. */

import { beforeAll, describe, expect, it } from "vitest";
import { UnauthenticatedError } from "../../src/client/api/errors.ts";
import { connect } from "../../src/client/index.ts";
import {
  type Authority,
  createAuthority,
  ExtendedKeyUsageExtension,
  Extension,
  type Leaf,
  type LeafOptions,
  SubjectAlternativeNameExtension,
} from "../support/certificates.ts";
import { startTlsServer, type TlsServer } from "./support/tls-server.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1000 }]\n";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

let servers: Authority;
let clients: Authority;
let running: TlsServer;

async function start(): Promise<TlsServer> {
  return startTlsServer(DB, { leaf: await servers.issue(), authority: servers, clientCa: clients.cert });
}

beforeAll(async () => {
  [servers, clients] = [await createAuthority("servers"), await createAuthority("clients")];
});

/** The name of the caller, or the name of what it fails with. */
async function callWith(leaf: Leaf | undefined): Promise<string> {
  const { server, folder, caFile } = running;
  const own = leaf && {
    certFile: folder.write("client.pem", leaf.cert),
    keyFile: folder.write("client.key", leaf.key),
  };
  await using client = connect(`https://localhost:${server.grpc.port}`, {
    tls: { caFile, ...own },
    sessions: false,
    retry: { maxAttempts: 1 },
  });
  try {
    await using lease = await client.acquire("db");
    for await (const each of client.limiters.leases()) if (each.id === lease.id) return each.caller;
    return "served";
  } catch (error) {
    return error instanceof UnauthenticatedError ? "refused" : `${error}`;
  }
}

const url = (value: string) => ({ type: "url", value }) as const;
const dns = (value: string) => ({ type: "dns", value }) as const;

describe("a client certificate", () => {
  it.each<[string, LeafOptions, string]>([
    ["a URI of SPIFFE", { names: [url("spiffe://prod.example/billing")] }, "spiffe://prod.example/billing"],
    ["a DNS name", { names: [dns("billing.example")] }, "dns:billing.example"],
  ])("with %s gives its client that name", async (_, options, name) => {
    running = await start();
    expect(await callWith(await clients.issue(options))).toBe(name);
  });

  const HOSTILE: readonly (readonly [string, () => Promise<Leaf | undefined>])[] = [
    ["none at all", async () => undefined],
    ["of another authority", async () => (await createAuthority("clients")).issue({ names: [dns("billing.example")] })],
    ["of the server's authority", async () => servers.issue({ names: [dns("billing.example")] })],
    ["with a common name alone", async () => clients.issue({ subject: "CN=billing.example", extensions: [] })],
    ["with two URIs", async () => clients.issue({ names: [url("spiffe://a.example/x"), url("spiffe://b.example/y")] })],
    [
      "with two URIs and a DNS name",
      async () =>
        clients.issue({ names: [url("spiffe://a.example/x"), url("https://b.example/y"), dns("billing.example")] }),
    ],
    ["with a quoted comma", async () => clients.issue({ names: [dns("evil.example, DNS:billing.example")] })],
    [
      "with a quoted comma in a URI",
      async () => clients.issue({ names: [url("spiffe://a.example/x, DNS:billing.example")] }),
    ],
    ["with a NUL", async () => clients.issue({ names: [dns("billing.example\0.evil.example")] })],
    ["with a wildcard", async () => clients.issue({ names: [dns("*.example")] })],
    ["with an empty name", async () => clients.issue({ names: [dns("")] })],
    ["with an address alone", async () => clients.issue({ names: [{ type: "ip", value: "127.0.0.1" }] })],
    ["with dots in a path", async () => clients.issue({ names: [url("spiffe://prod.example/../billing")] })],
    ["that has run out", async () => clients.issue({ names: [dns("billing.example")], notAfter: -1_000 })],
    ["that does not count yet", async () => clients.issue({ names: [dns("billing.example")], notBefore: 600_000 })],
    [
      "for servers alone",
      async () =>
        clients.issue({
          extensions: [
            new SubjectAlternativeNameExtension([dns("billing.example")]),
            new ExtendedKeyUsageExtension([SERVER_AUTH], true),
          ],
        }),
    ],
    [
      "with a critical extension that nobody knows",
      async () =>
        clients.issue({
          extensions: [
            new SubjectAlternativeNameExtension([dns("billing.example")]),
            new Extension("1.2.3.4.5", true, new Uint8Array([5, 0])),
          ],
        }),
    ],
    [
      "that is its own authority",
      async () => {
        const own = await createAuthority("itself");
        return own.issue({ names: [dns("billing.example")] });
      },
    ],
  ];

  it.each(HOSTILE)("%s does not count", async (_, make) => {
    running = await start();
    expect(await callWith(await make())).toBe("refused");
    expect(running.server.grpc.port).toBeGreaterThan(0);
  });
});
