/** Why a server cannot be reached, and what to do. */

import type { Finding } from "./finding.ts";
import type { Probe } from "./probe.ts";

interface Reason {
  readonly why: string;
  readonly todo: string;
}

/** `failure`: why the call failed, in its own words. */
export function checkReach(address: string, failure: string, found: Probe): Finding {
  return { level: "problem", check: "reachable", what: `${address} does not answer`, ...reasonOf(failure, found) };
}

function reasonOf(failure: string, found: Probe): Reason {
  switch (found.kind) {
    case "no-connection":
      return CODES[found.code] ?? { why: failure, todo: "see what stands between here and there" };
    case "silent":
      return {
        why: "it takes connections, and says nothing to HTTP/2",
        todo: "see whether this is the gRPC port, and whether a proxy before it speaks HTTP/2",
      };
    case "wants-tls":
      return {
        why: "it speaks TLS there, and was called in plain text",
        todo: "name it with https://, as in --address https://HOST:PORT",
      };
    case "tls-failed":
      return {
        why: `TLS fails: ${found.why}`,
        todo: "see its certificate; if that is of an authority of your own, name it with --ca-file",
      };
    case "no-tls":
      return {
        why: "it speaks no TLS there",
        todo: "name it without https://, or name the port of the proxy that speaks it",
      };
    case "no-http2":
      return { why: "it speaks TLS without HTTP/2, which gRPC needs", todo: "have the proxy there offer h2 by ALPN" };
    case "other-protocol":
      return {
        why: `it speaks something else than HTTP/2 there: ${JSON.stringify(found.begins)}`,
        todo: "name the gRPC port, by default 50051, or have the proxy there speak HTTP/2",
      };
    case "http2":
      return {
        why: `it speaks HTTP/2, and the call failed: ${failure}`,
        todo: "see whether this is a backpressure server, and its log",
      };
  }
}

const CODES: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: {
    why: "nothing listens there: the connection is refused",
    todo: "start the server (`backpressure serve`), or name another with --address; a server on another machine listens on loopback unless listeners.grpc says otherwise",
  },
  ENOTFOUND: { why: "there is no such host", todo: "see its name" },
  EAI_AGAIN: { why: "its name cannot be looked up now", todo: "see the name servers of this machine" },
  ETIMEDOUT: {
    why: "the connection is not taken, and not refused either",
    todo: "see firewalls and security groups on the way, and whether the machine is up",
  },
  EHOSTUNREACH: { why: "there is no route to it", todo: "see the network of this machine" },
  ENETUNREACH: { why: "there is no route to its network", todo: "see the network of this machine" },
};
