/** What speaks at an address to which no call gets through, learnt from its first bytes. */

import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TlsOptions } from "../../client/transport/tls-connection.ts";

export type Probe =
  /** No connection: Node's code of why, such as ECONNREFUSED. */
  | { readonly kind: "no-connection"; readonly code: string }
  /** It connects, and says nothing. */
  | { readonly kind: "silent" }
  /** It speaks TLS where plain text was tried. */
  | { readonly kind: "wants-tls" }
  /** It speaks no TLS where that was tried. */
  | { readonly kind: "no-tls" }
  /** The handshake fails, as where its certificate is not trusted: why. */
  | { readonly kind: "tls-failed"; readonly why: string }
  /** TLS, but no HTTP/2 over it. */
  | { readonly kind: "no-http2" }
  /** It speaks HTTP/1.1, or something else. */
  | { readonly kind: "other-protocol"; readonly begins: string }
  | { readonly kind: "http2" };

/** ms for each step. */
const PATIENCE = 2_000;
/** An HTTP/2 client's first words: the preface, and an empty SETTINGS frame. */
const FIRST_WORDS = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const SETTINGS_FRAME = 4;
const TLS_ALERT = 0x15;
/** What a TLS client makes of an answer that is none of TLS, or of the end of a connection that takes its words for nonsense. */
const NOT_TLS: ReadonlySet<string> = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_HTTP_REQUEST",
  "ECONNRESET",
]);

/** `origin`: `http://host:port` or `https://host:port`. `tls`: whom the call trusts. Never rejects. */
export async function probe(origin: string, tls: TlsOptions = {}): Promise<Probe> {
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, "");
  const isTls = protocol === "https:";
  const at = { host, port: Number(port || (isTls ? 443 : 80)) };
  const socket = connectTcp(at);
  try {
    socket.setTimeout(PATIENCE, () => socket.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
    await once(socket, "connect");
  } catch (error) {
    return { kind: "no-connection", code: (error as NodeJS.ErrnoException).code ?? (error as Error).message };
  }
  return isTls ? probeTls(socket, host, tls) : probePlain(socket);
}

async function probePlain(socket: Socket): Promise<Probe> {
  try {
    socket.write(FIRST_WORDS);
    const [first] = (await once(socket, "data")) as [Buffer];
    if (first[0] === TLS_ALERT && first[1] === 3) return { kind: "wants-tls" };
    if (first[3] === SETTINGS_FRAME && first.length >= 9) return { kind: "http2" };
    return { kind: "other-protocol", begins: first.subarray(0, 40).toString("latin1").split("\r\n")[0] ?? "" };
  } catch {
    return { kind: "silent" };
  } finally {
    socket.destroy();
  }
}

async function probeTls(socket: Socket, host: string, { caFile, serverName }: TlsOptions): Promise<Probe> {
  // An address is no name that a certificate could be asked for by.
  const named = serverName === undefined && isIP(host) !== 0 ? { host } : { servername: serverName ?? host };
  const trusted = caFile !== undefined && existsSync(caFile) ? { ca: readFileSync(caFile) } : {};
  const tls = connectTls({ socket, ...named, ...trusted, ALPNProtocols: ["h2"] });
  try {
    await once(tls, "secureConnect");
    return tls.alpnProtocol === "h2" ? { kind: "http2" } : { kind: "no-http2" };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return NOT_TLS.has(code ?? "") ? { kind: "no-tls" } : { kind: "tls-failed", why: message };
  } finally {
    tls.destroy();
    socket.destroy();
  }
}
