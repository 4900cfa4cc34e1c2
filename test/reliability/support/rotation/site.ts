/** A server in a process of its own, whose every credential and file can be replaced while it runs. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type Client, type ConnectOptions, connect } from "../../../../src/client/index.ts";
import { digestOf } from "../../../../src/server/auth/static-tokens.ts";
import { createAuthority, type Leaf } from "../../../support/certificates.ts";
import { AUDIENCE, createSigningKey, ISSUER, sign } from "../../../support/identity-provider.ts";
import { type ServerProcess, startServerProcess } from "../../../support/server-process.ts";
import { createTlsFolder } from "../../../support/tls-folder.ts";
import { type Bug, withBugs } from "../bug.ts";

export interface Site extends AsyncDisposable {
  readonly server: ServerProcess;
  /** All lines of one event of the log, so far. */
  logged(event: string): readonly Readonly<Record<string, unknown>>[];
  /** Writes one of the files anew. */
  write(name: FileName, text: string): void;
  /** Writes the configuration anew, with these changes to what it said at first. */
  configure(changes: Partial<Rules>): void;
  /** A client with one of the credentials. */
  client(name: CredentialName, options?: Pick<ConnectOptions, "sessions">): Client;
  /** What its port serves to scrapers. */
  metrics(): Promise<string>;
  /** The texts of files, good ones. */
  readonly texts: Readonly<Record<FileName | "renewedCert" | "renewedKey" | "oneCa" | "withdrawn" | "oneKey", string>>;
}

export type FileName = "server.crt" | "server.key" | "clients.crt" | "withdrawn.crl" | "keys.json";
export type CredentialName = keyof typeof LIMITERS_OF;

/** What a configuration says of who may do what. */
export interface Rules {
  readonly tokens: readonly string[];
  /** Who may acquire. */
  readonly acquirers: readonly string[];
  /** What makes the file no configuration. */
  readonly broken: string;
}

/** Each credential has a limiter of its own name; those that are withdrawn have one more waiter than permits. */
const LIMITERS_OF = {
  "token-kept": 250,
  "jwt-kept": 250,
  "cert-kept": 250,
  operator: 250,
  "token-gone": 2,
  "jwt-gone": 2,
  "cert-gone": 2,
  "ca-gone": 2,
  demoted: 2,
};
export const PERMITS: Readonly<Record<string, number>> = LIMITERS_OF;

const SPIFFE = "spiffe://rotation.example";

export async function startSite(workers: number, bugs: readonly Bug[] = []): Promise<Site> {
  await using cleanup = new AsyncDisposableStack();
  const folder = createTlsFolder((remove) => cleanup.defer(remove));
  const authority = await createAuthority("servers");
  const [kept, gone] = [await createAuthority("kept clients"), await createAuthority("other clients")];
  const [keyKept, keyGone] = [await createSigningKey(), await createSigningKey()];
  const [first, second] = [
    await authority.issue({ subject: "CN=first" }),
    await authority.issue({ subject: "CN=second" }),
  ];
  const certificates: Readonly<Record<string, Leaf>> = {
    "cert-kept": await kept.issue({ names: [{ type: "url", value: `${SPIFFE}/cert-kept` }] }),
    "cert-gone": await kept.issue({ names: [{ type: "url", value: `${SPIFFE}/cert-gone` }] }),
    "ca-gone": await gone.issue({ names: [{ type: "url", value: `${SPIFFE}/ca-gone` }] }),
  };
  const names = ["operator", "token-kept", "token-gone", "demoted"];
  const tokens: Readonly<Record<string, string>> = {
    ...Object.fromEntries(names.map((name) => [name, `bp_${name}_${randomBytes(32).toString("base64url")}`])),
    "jwt-kept": await sign(keyKept, { sub: "jwt-kept" }),
    "jwt-gone": await sign(keyGone, { sub: "jwt-gone" }),
  };
  const none = await gone.withdraw([]);
  const texts = {
    "server.crt": first.cert,
    "server.key": first.key,
    "clients.crt": `${kept.cert}\n${gone.cert}`,
    "withdrawn.crl": `${await kept.withdraw([])}\n${none}`,
    "keys.json": JSON.stringify({ keys: [keyKept.jwk, keyGone.jwk] }),
    renewedCert: second.cert,
    renewedKey: second.key,
    oneCa: kept.cert,
    withdrawn: `${await kept.withdraw([certificates["cert-gone"]?.serial ?? ""])}\n${none}`,
    oneKey: JSON.stringify({ keys: [keyKept.jwk] }),
  };
  const pathOf = (name: FileName) => folder.write(name, texts[name]);
  const tls = {
    cert_file: pathOf("server.crt"),
    key_file: pathOf("server.key"),
    client_ca_file: pathOf("clients.crt"),
    client_crl_file: pathOf("withdrawn.crl"),
  };
  const jwks = { file: pathOf("keys.json") };
  const all: Rules = { tokens: names, acquirers: ["*"], broken: "" };

  function yamlOf({ tokens: counting, acquirers, broken }: Rules): string {
    const limiters = Object.entries(LIMITERS_OF).map(([name, permits]) => ({
      name,
      max_concurrent: permits,
      ttl: "15s",
    }));
    const fields = {
      workers,
      tls,
      limiters: [...limiters, { name: "calls", max_concurrent: 1000, ttl: "5s" }],
      auth: {
        tokens: counting.map((name) => ({ name, sha256: [digestOf(tokens[name] ?? "").toString("hex")] })),
        jwt: [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks }],
      },
      access: [
        { who: acquirers, may: ["acquire"], limiters: ["*"] },
        { who: ["token:operator"], may: ["acquire", "observe", "operate"], limiters: ["*"], boards: ["*"] },
      ],
    };
    return `${Object.entries(fields)
      .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
      .join("")}${broken}`;
  }

  const server = cleanup.use(await startServerProcess(yamlOf(all), { nodeArguments: withBugs(bugs) }));
  const lines: Readonly<Record<string, unknown>>[] = [];
  if (server.process.stderr === null) throw new Error("the server has no standard error");
  createInterface(server.process.stderr).on("line", (line) => {
    if (line.startsWith("{")) lines.push(JSON.parse(line));
  });
  const port = server.address.slice(server.address.lastIndexOf(":") + 1);
  const caFile = folder.write("authority.crt", authority.cert);
  const own = cleanup.move();
  return {
    server,
    logged: (event) => lines.filter((line) => line.event === event),
    write: (name, text) => void folder.write(name, text),
    configure: (changes) => server.configure(yamlOf({ ...all, ...changes })),
    client(name, options = {}) {
      const certificate = certificates[name];
      const files = certificate && {
        certFile: folder.write(`${name}.crt`, certificate.cert),
        keyFile: folder.write(`${name}.key`, certificate.key),
      };
      const token = tokens[name];
      return own.use(
        connect(`https://localhost:${port}`, {
          ...options,
          tls: { caFile, ...files },
          ...(token !== undefined && { token }),
        }),
      );
    },
    async metrics() {
      const headers = { authorization: `Bearer ${tokens.operator}` };
      const request = get(`${server.url}/metrics`, {
        ca: authority.cert,
        servername: "localhost",
        headers,
        agent: false,
      });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      return text(response);
    },
    texts,
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}
