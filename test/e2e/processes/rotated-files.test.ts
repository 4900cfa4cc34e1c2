/**
 * Credentials in files that are replaced as kubelet replaces them, under a client in a process of its own that holds leases, and loses none: it
 * shows a new token before the old one ends, and a new certificate when the connection of the old one does. Control: a client that reads its
 * files once.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { type ConnectOptions, connect } from "../../../src/client/index.ts";
import { type Authority, createAuthority } from "../../support/certificates.ts";
import { AUDIENCE, createSigningKey, ISSUER, type SigningKey, sign } from "../../support/identity-provider.ts";
import { createKubeletVolume, type KubeletVolume } from "../../support/kubelet-volume.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import { createTlsFolder } from "../../support/tls-folder.ts";
import type { Manner, PodCredential, PodNews } from "../support/pod.ts";

const POD = fileURLToPath(new URL("../support/pod.ts", import.meta.url));
const LEASES = 5;
/** s for which the first token is good: the client asks for another when half of them are left. */
const LIFE = 20;
const PATIENCE = { timeout: 60_000, interval: 50 };

interface Cluster {
  readonly server: ServerProcess;
  readonly volume: KubeletVolume;
  readonly operator: ConnectOptions;
  readonly address: string;
  /** As kubelet does when a credential is due. */
  rotate(): void;
  /** The first credential counts no more from now on. */
  endFirst(): void;
  /** What the first credential comes to in a call of its own. */
  tryFirst(): Promise<string>;
}

interface Made {
  /** Made when it is wanted: its time runs from then on. */
  readonly first: () => Promise<Readonly<Record<string, string>>>;
  readonly second: Readonly<Record<string, string>>;
  readonly endFirst: () => void;
}

const url = (value: string) => ({ type: "url", value }) as const;

/** Signed by a key that is withdrawn, so that nobody has to wait for its end and for what comes after it. */
async function makeTokens(write: (keys: readonly SigningKey[]) => void): Promise<Made> {
  const [old, next] = [await createSigningKey(), await createSigningKey()];
  write([old, next]);
  return {
    first: async () => ({ token: await sign(old, {}, LIFE) }),
    second: { token: await sign(next) },
    endFirst: () => write([next]),
  };
}

async function makeCertificates(clients: Authority, write: (list: string) => void): Promise<Made> {
  const names = [url("spiffe://cluster.example/billing")];
  const [old, next] = [await clients.issue({ names }), await clients.issue({ names })];
  const [none, withdrawn] = [await clients.withdraw([]), await clients.withdraw([old.serial])];
  write(none);
  return {
    first: async () => ({ "tls.crt": old.cert, "tls.key": old.key }),
    second: { "tls.crt": next.cert, "tls.key": next.key },
    endFirst: () => write(withdrawn),
  };
}

async function startCluster(credential: PodCredential): Promise<Cluster> {
  const folder = createTlsFolder();
  const [servers, clients] = [await createAuthority("servers"), await createAuthority("clients")];
  const leaf = await servers.issue();
  const writeKeys = (keys: readonly SigningKey[]) =>
    folder.write("keys.json", JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  const writeList = (list: string) => folder.write("withdrawn.crl", list);
  writeKeys([]);
  writeList(await clients.withdraw([]));
  const made = await (credential === "token" ? makeTokens(writeKeys) : makeCertificates(clients, writeList));
  const own = await clients.issue({ names: [url("spiffe://cluster.example/operator")] });
  const fields = {
    workers: 0,
    logging: { level: "debug" },
    limiters: [{ name: "db", max_concurrent: 100, ttl: "5s" }],
    tls: {
      cert_file: folder.write("server.crt", leaf.cert),
      key_file: folder.write("server.key", leaf.key),
      client_ca_file: folder.write("clients.crt", clients.cert),
      client_crl_file: `${folder.path}/withdrawn.crl`,
    },
    auth: { jwt: [{ name: "k8s", issuer: ISSUER, audience: AUDIENCE, jwks: { file: `${folder.path}/keys.json` } }] },
  };
  const yaml = Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  const server = await startServerProcess(yaml.join(""));
  onTestFinished(() => server[Symbol.asyncDispose]());
  const files = await made.first();
  const volume = createKubeletVolume({ "ca.crt": servers.cert, ...files });
  onTestFinished(() => volume[Symbol.dispose]());
  const caFile = folder.write("authority.crt", servers.cert);
  const address = `https://localhost:${server.address.slice(server.address.lastIndexOf(":") + 1)}`;
  const first: ConnectOptions =
    credential === "token"
      ? { tls: { caFile }, token: files.token ?? "" }
      : {
          tls: {
            caFile,
            certFile: folder.write("first.crt", files["tls.crt"] ?? ""),
            keyFile: folder.write("first.key", files["tls.key"] ?? ""),
          },
        };
  return {
    server,
    volume,
    address,
    operator: {
      tls: { caFile, certFile: folder.write("own.crt", own.cert), keyFile: folder.write("own.key", own.key) },
    },
    rotate: () => volume.write({ "ca.crt": servers.cert, ...made.second }),
    endFirst: made.endFirst,
    async tryFirst() {
      await using client = connect(address, { ...first, sessions: false, retry: { maxAttempts: 1 } });
      return await client.limiters.get("db").then(
        () => "served",
        () => "refused",
      );
    },
  };
}

/** Resolves when the client holds its leases. */
async function startPod({ address, volume }: Cluster, credential: PodCredential, manner: Manner) {
  const child = fork(POD, [address, volume.path, credential, manner, String(LEASES)], { execArgv: [] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const news: PodNews[] = [];
  child.on("message", (said: PodNews) => news.push(said));
  const all = (kind: PodNews["kind"]) => news.filter((said) => said.kind === kind);
  await expect.poll(() => all("held").length, PATIENCE).toBe(1);
  return {
    lost: () => all("lost").length,
    async release() {
      child.send("release");
      const [said] = (await once(child, "message")) as [PodNews];
      return said;
    },
  };
}

/** Resolves when the server has been asked for so many more sessions. */
async function untilSessions({ server }: Cluster, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const { method } = await server.logged(/^a call$/);
    if (String(method).endsWith("/Session")) left -= 1;
  }
}

async function statesOf({ address, operator }: Cluster): Promise<readonly string[]> {
  await using client = connect(address, { ...operator, sessions: false });
  const states: string[] = [];
  for await (const { caller, state } of client.limiters.leases()) {
    if (!caller.endsWith("operator")) states.push(state);
  }
  return states;
}

const ALL_HELD = Array(LEASES).fill("attached");
const ALL_RELEASED: PodNews = { kind: "released", outcomes: Array(LEASES).fill("released") };

test("a token in a mounted folder that is replaced is shown before the old one ends", async () => {
  const cluster = await startCluster("token");
  const pod = await startPod(cluster, "token", "anew");
  // The stream that holds the leases, and the one that takes its place.
  await untilSessions(cluster, 1);
  cluster.rotate();
  await untilSessions(cluster, 1);
  await expect.poll(() => statesOf(cluster), PATIENCE).toEqual(ALL_HELD);
  cluster.endFirst();
  await expect.poll(() => cluster.tryFirst(), PATIENCE).toBe("refused");
  // Those of the old token are orphaned by now.
  expect(await statesOf(cluster)).toEqual(ALL_HELD);
  expect(pod.lost()).toBe(0);
  expect(await pod.release()).toEqual(ALL_RELEASED);
});

test("a certificate in a mounted folder that is replaced is shown when the old one ends, and takes the leases up", async () => {
  const cluster = await startCluster("certificate");
  const pod = await startPod(cluster, "certificate", "anew");
  await untilSessions(cluster, 1);
  cluster.rotate();
  cluster.endFirst();
  await untilSessions(cluster, 1);
  await expect.poll(() => cluster.tryFirst(), PATIENCE).toBe("refused");
  await expect.poll(() => statesOf(cluster), PATIENCE).toEqual(ALL_HELD);
  expect(pod.lost()).toBe(0);
  expect(await pod.release()).toEqual(ALL_RELEASED);
});

test.each(["token", "certificate"] as const)(
  "control: a client that has read its %s once loses its leases when it ends",
  async (credential) => {
    const cluster = await startCluster(credential);
    const pod = await startPod(cluster, credential, "once");
    cluster.rotate();
    cluster.endFirst();
    await expect.poll(() => pod.lost(), PATIENCE).toBe(LEASES);
  },
);
