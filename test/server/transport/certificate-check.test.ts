/** Whether a certificate of an open connection counts is decided as a handshake would decide it: the handshake is the control. */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, it } from "vitest";
import { Redacted } from "../../../src/server/redacted.ts";
import { createCertificateCheck } from "../../../src/server/transport/port/certificate-check.ts";
import { readWithdrawnList } from "../../../src/server/transport/port/der.ts";
import { tlsOptions } from "../../../src/server/transport/port/tls-listener.ts";
import { type Authority, createAuthority, type Leaf } from "../../support/certificates.ts";

let servers: Authority;
let server: Leaf;
let clients: Authority;
let others: Authority;
let namesakes: Authority;
let between: Authority;
let leaf: Leaf;
let below: Leaf;

beforeAll(async () => {
  servers = await createAuthority("servers");
  server = await servers.issue();
  [clients, others, namesakes] = [
    await createAuthority("clients"),
    await createAuthority("others"),
    await createAuthority("clients"),
  ];
  between = await clients.delegate("a part of them");
  leaf = await clients.issue();
  const issued = await between.issue();
  below = { ...issued, cert: `${issued.cert}\n${between.cert}` };
});

/** Of a connection with this certificate: what the server sees, and whether it counts. */
async function handshake(client: Leaf, clientCa: string, clientCrl: string | undefined) {
  const material = { cert: server.cert, key: new Redacted(server.key), clientCa, clientCrl, generation: 1 };
  const listener = createServer(tlsOptions(material, []));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca: servers.cert, ...client });
  socket.on("error", () => {});
  const [accepted] = (await once(listener, "secureConnection")) as [TLSSocket];
  const { authorized } = accepted;
  const counts = createCertificateCheck({ clientCa, clientCrl }, Date.now())(accepted);
  accepted.destroy();
  socket.destroy();
  listener.close();
  return { authorized, counts };
}

const both = (...parts: readonly (string | undefined)[]) => parts.join("\n");

/** A certificate, and the files as they are when it is looked at again. */
const CASES: Readonly<Record<string, () => Promise<[Leaf, string, (string | undefined)?]>>> = {
  "the same authority": async () => [leaf, clients.cert],
  "one authority more": async () => [leaf, both(others.cert, clients.cert)],
  "another authority": async () => [leaf, others.cert],
  "another authority of the same name": async () => [leaf, namesakes.cert],
  "both authorities of one name": async () => [leaf, both(namesakes.cert, clients.cert)],
  "an empty list of withdrawn ones": async () => [leaf, clients.cert, await clients.withdraw([])],
  "a list that has it": async () => [leaf, clients.cert, await clients.withdraw(["aa", leaf.serial])],
  "a list that has another": async () => [leaf, clients.cert, await clients.withdraw(["aa"])],
  "a list of very many others": async () => {
    const serials = Array.from({ length: 2_000 }, (_, i) => (0x100000 + i).toString(16));
    return [leaf, clients.cert, await clients.withdraw(serials)];
  },
  "a list of another authority that has its number": async () => [
    leaf,
    both(others.cert, clients.cert),
    both(await others.withdraw([leaf.serial]), await clients.withdraw([])),
  ],
  "no list of its authority": async () => [leaf, both(others.cert, clients.cert), await others.withdraw([])],
  "a list that has itself run out": async () => [leaf, clients.cert, await clients.withdraw([], -30_000)],
  "an authority between": async () => [below, both(clients.cert, between.cert)],
  "an authority between alone": async () => [below, between.cert],
  "an authority between, and lists of both": async () => [
    below,
    both(clients.cert, between.cert),
    both(await clients.withdraw([]), await between.withdraw([])),
  ],
  "an authority between that is withdrawn": async () => {
    const { serialNumber } = new X509Certificate(between.cert);
    const lists = both(await clients.withdraw([serialNumber]), await between.withdraw([]));
    return [below, both(clients.cert, between.cert), lists];
  },
  "an authority between without a list": async () => [
    below,
    both(clients.cert, between.cert),
    await clients.withdraw([]),
  ],
  "a certificate that has run out": async () => [await clients.issue({ notAfter: -1_000 }), clients.cert],
  "a certificate that does not count yet": async () => [await clients.issue({ notBefore: 600_000 }), clients.cert],
};

describe("a certificate is looked at again with", () => {
  it.each(Object.entries(CASES))("%s", async (_, make) => {
    const [client, clientCa, clientCrl] = await make();
    const { authorized, counts } = await handshake(client, clientCa, clientCrl);
    expect(counts).toBe(authorized);
  });

  it("an authority between of which the client alone knows, it is in doubt, and does not count", async () => {
    expect(await handshake(below, clients.cert, undefined)).toEqual({ authorized: true, counts: false });
  });

  it("each answer in some of them", async () => {
    const answers = await Promise.all(
      Object.values(CASES).map(
        async (make) => (await handshake(...((await make()) as [Leaf, string, string]))).authorized,
      ),
    );
    expect(answers.filter(Boolean).length).toBeGreaterThan(5);
    expect(answers.filter((authorized) => !authorized).length).toBeGreaterThan(5);
  });
});

it("what is no list is refused", () => {
  for (const bytes of ["", "30", "3003020100", "30820fff", "3000"]) {
    expect(() => readWithdrawnList(Buffer.from(bytes, "hex"))).toThrow();
  }
});
