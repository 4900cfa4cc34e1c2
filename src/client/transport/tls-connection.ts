/** A connection over TLS, for the HTTP/2 of Node. */

import { readFileSync } from "node:fs";
import { connect as connectTcp, isIP } from "node:net";
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";

/** Whom to trust, and how to show who one is. Files are in PEM, and are read anew for each connection. */
export interface TlsOptions {
  /** The authorities that may vouch for the server. Default: those of Node, and of `NODE_EXTRA_CA_CERTS`. */
  readonly caFile?: string | undefined;
  /** The client's certificate, for a server that asks for one, and behind it those between it and its authority. */
  readonly certFile?: string | undefined;
  /** Its private key. */
  readonly keyFile?: string | undefined;
  /** The name that the server's certificate has to have. Default: the address's. */
  readonly serverName?: string | undefined;
}

/** For a process beside the server, which has the file of its certificate: trusts that certificate, whatever its names. */
export interface PinnedTlsOptions extends TlsOptions {
  readonly pinnedFile?: string | undefined;
}

/** A file of TLS that cannot be used. */
export class TlsFileError extends Error {
  override readonly name = "TlsFileError";
}

/** Throws a `TypeError` that says what is wrong with the options. */
export function checkTlsOptions(origin: string, { certFile, keyFile }: TlsOptions): void {
  if (new URL(origin).protocol !== "https:") {
    const secure = origin.replace("http:", "https:");
    throw new TypeError(
      `tls is for a server that is called by https://: write the address as ${JSON.stringify(secure)}`,
    );
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new TypeError("tls.certFile and tls.keyFile belong together: a certificate is of no use without its key");
  }
}

/** Begins to connect; throws a `TlsFileError` where a file cannot be used. */
export function connectSecurely({ hostname, port }: URL, tls: PinnedTlsOptions): TLSSocket {
  const host = hostname.replace(/^\[|\]$/g, "");
  const options = { secureContext: contextOf(tls), ...trustOf(tls), ...nameOf(host, tls), ALPNProtocols: ["h2"] };
  const tcp = connectTcp({ host, port: Number(port || 443), noDelay: true });
  const socket = connectTls({ ...options, socket: tcp });
  tcp.on("error", (error) => socket.destroy(error));
  socket.once("secureConnect", () => {
    if (socket.alpnProtocol !== "h2") socket.destroy(withCode(NO_HTTP2, "ERR_NO_HTTP2"));
  });
  return Object.assign(socket, {
    // Node resets no TLS socket; what lies under it can be reset, and says nothing of the streams then.
    resetAndDestroy() {
      tcp.resetAndDestroy();
      return socket;
    },
  });
}

const NO_HTTP2 = "the server speaks TLS without HTTP/2";

function contextOf({ caFile, certFile, keyFile, pinnedFile }: PinnedTlsOptions): SecureContext {
  const trusted = caFile ?? pinnedFile;
  const material: SecureContextOptions = {
    ...(pinnedFile !== undefined && { allowPartialTrustChain: true }),
    ...(trusted !== undefined && { ca: read("caFile", trusted) }),
    ...(certFile !== undefined && { cert: read("certFile", certFile) }),
    ...(keyFile !== undefined && { key: read("keyFile", keyFile) }),
  };
  try {
    return createSecureContext(material);
  } catch (error) {
    const files = [trusted, certFile, keyFile].filter((path) => path !== undefined).join(", ");
    const why = (error as Error).message.replace(/^error:[0-9A-F]*:/, "");
    throw new TlsFileError(
      `cannot connect: tls.caFile, tls.certFile or tls.keyFile is not what it should be, in PEM (${files}): ${why}`,
      { cause: error },
    );
  }
}

function trustOf({ pinnedFile }: PinnedTlsOptions): ConnectionOptions {
  return pinnedFile === undefined ? {} : { checkServerIdentity: () => undefined };
}

/** An IP address is no name that a server could be asked for by (RFC 6066), but its certificate may have it. */
function nameOf(host: string, { serverName }: TlsOptions): ConnectionOptions {
  const name = serverName ?? host;
  return isIP(name) === 0 ? { servername: name, host: name } : { host: name };
}

function read(option: keyof TlsOptions, path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "it may not be read" : (code ?? message);
    throw new TlsFileError(`cannot connect: tls.${option} (${path}): ${why}`, { cause: error });
  }
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
