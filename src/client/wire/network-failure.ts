/** Tells a connection that failed from a fault in the code that was to make the call. */

import isNetworkError from "is-network-error";

/** Node's codes for connections: the system's (ECONNREFUSED), its own for sockets, streams, HTTP and TLS, and OpenSSL's. */
const NETWORK_CODE =
  /^(E[A-Z0-9]+|ERR_(HTTP2|STREAM|SOCKET|SSL|TLS)_\w+|HPE_\w+|UND_ERR_\w+|\w*(CERT|CRL|SIGNATURE|ISSUER)\w*|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)$/;

/** What JavaScript itself throws for a fault in a program; Node gives its complaints about arguments these names, too. */
const PROGRAMMING_ERRORS: ReadonlySet<string> = new Set([
  "TypeError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "EvalError",
  "URIError",
  "AssertionError",
]);

/** How many causes are looked through: a chain may lead into itself. */
const DEEPEST_CAUSE = 10;

/**
 * Returns whether an error that a transport did not make itself says that the network or the server was unavailable.
 * Looks through the chain of causes, since `fetch` in Node hides the system's error in one.
 */
export function isNetworkFailure(thrown: unknown): boolean {
  for (
    let error = thrown, depth = 0;
    error instanceof Error && depth < DEEPEST_CAUSE;
    error = error.cause, depth += 1
  ) {
    if (isNetworkError(error as unknown) || isSystemFailure(error)) return true;
  }
  return false;
}

function isSystemFailure(error: Error & { readonly code?: unknown; readonly path?: unknown }): boolean {
  if (PROGRAMMING_ERRORS.has(error.name) || typeof error.code !== "string") return false;
  // A file that cannot be read has a path: a missing certificate, for one. A Unix socket has an address.
  return NETWORK_CODE.test(error.code) && typeof error.path !== "string";
}
