/** Opening a port, and saying what is wrong where it cannot be opened. */

import type { AddressInfo, Server } from "node:net";
import type { BoundAddress } from "./options.ts";

/** An IPv6 address may have a zone, as `[fe80::1%eth0]`. */
const ADDRESS = /^(?:\[([0-9a-fA-F:.]+(?:%[^[\]%]+)?)\]|([^:[\]]+)):([0-9]{1,5})$/;
const MAX_PORT = 65_535;

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; stop the process that has it, or choose another (port 0 takes any that is free)",
  EINVAL: "a link-local address needs its zone, an interface of this machine: [fe80::1%eth0]:50051",
  EACCES: "this user may not open that port; choose one above 1023",
  EADDRNOTAVAIL: "no interface of this machine has that address; use 127.0.0.1, or 0.0.0.0 for all of them",
  ENOTFOUND: "the host name does not resolve; use an IP address of this machine",
  EAI_AGAIN: "the host name does not resolve now; use an IP address of this machine",
};

/**
 * Listens on `host:port` or `[v6]:port`; resolves with what was bound, rejects with a sentence for the operator. `isShared`: others
 * that say so may listen there, too.
 */
export function listen(server: Server, address: string, isShared = false): Promise<BoundAddress> {
  const { promise, resolve, reject } = Promise.withResolvers<BoundAddress>();
  const refuse = (why: string, cause?: unknown) => reject(new Error(`cannot listen on ${address}: ${why}`, { cause }));
  const [, v6, name, digits] = ADDRESS.exec(address) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || !(port <= MAX_PORT)) {
    refuse("an address is host:port, as 127.0.0.1:50051 or [::1]:50051");
    return promise;
  }
  const onError = (error: NodeJS.ErrnoException) => refuse(ADVICE[error.code ?? ""] ?? error.message, error);
  server.once("error", onError);
  server.listen({ host, port, reusePort: isShared }, () => {
    server.removeListener("error", onError);
    const bound = server.address() as AddressInfo;
    resolve({ host: bound.address, port: bound.port });
  });
  return promise;
}
