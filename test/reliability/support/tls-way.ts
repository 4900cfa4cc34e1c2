/** A way to a port that speaks TLS for those who speak plain text: each connection to it becomes one of TLS, and ends with that. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../../support/certificates.ts";
import type { TlsFolder } from "../../support/tls-folder.ts";

export interface TlsWay extends Disposable {
  /** Ports, by what is spoken. */
  readonly http2: number;
  readonly http1: number;
  /** A way that has ended ends its connections, as a server does that ends a flood. */
  isAlive(): boolean;
}

export interface TlsWayOptions {
  /** Where it leads. */
  readonly port: number;
  /** Who vouches for the server. */
  readonly ca: string;
}

/** A server's section of the configuration, and who vouches for it. */
export async function tlsSection(folder: TlsFolder): Promise<{ readonly yaml: string; readonly ca: string }> {
  const authority = await createAuthority();
  const leaf = await authority.issue();
  const tls = { cert_file: folder.write("tls.crt", leaf.cert), key_file: folder.write("tls.key", leaf.key) };
  return { yaml: `tls: ${JSON.stringify(tls)}\n`, ca: authority.cert };
}

export async function openTlsWay(options: TlsWayOptions): Promise<TlsWay> {
  const child = fork(fileURLToPath(new URL("tls-way-process.ts", import.meta.url)), [JSON.stringify(options)]);
  const ended = once(child, "exit").then(() => {
    throw new Error("the way has ended");
  });
  ended.catch(() => {});
  const [ports] = (await Promise.race([once(child, "message"), ended])) as [Pick<TlsWay, "http1" | "http2">];
  return {
    ...ports,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    [Symbol.dispose]() {
      child.kill("SIGKILL");
    },
  };
}
