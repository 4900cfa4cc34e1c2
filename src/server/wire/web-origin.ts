/** Origins of pages as the configuration writes them, and whether the `Origin` that a browser sends is one of them. */

export type OriginReading =
  | { readonly kind: "valid"; readonly matches: (origin: string) => boolean }
  /** `expected` completes "must be". */
  | { readonly kind: "invalid"; readonly expected: string };

/** Scheme, host and port, each as it is written; a host may begin with `*.`, a port may be `*`. */
const ORIGIN = /^(https?):\/\/(\*\.)?(\[[0-9a-f:.]+\]|[^\s:/?#@\\%*[\]]+)(?::(\d{1,5}|\*))?$/i;

const EXAMPLES = "such as https://app.example.com, https://*.example.com or http://localhost:*";
/** One label or more, of what a browser writes in a host. */
const SUBDOMAIN = /^(?:[a-z0-9_-]+\.)+$/;
const PORT = /^(?::\d{1,5})?$/;

/**
 * Reads one origin of the list, a `*` aside. It is compared as a browser writes it: in lower case, an international name
 * in its ASCII form, and without the port that its scheme has anyway.
 */
export function readOrigin(text: string): OriginReading {
  if (text === "null") {
    return invalid(`an origin, ${EXAMPLES}: null is that of every sandboxed page and local file, whosever it is`);
  }
  const [, scheme = "", wildcard, host = "", port] = ORIGIN.exec(text) ?? [];
  if (scheme === "") return invalid(whyNot(text));
  const named = originOf(`${scheme}://${host}${port === undefined || port === "*" ? "" : `:${port}`}`);
  if (named === undefined) return invalid(`an origin that a browser can have, ${EXAMPLES}`);
  if (wildcard === undefined && port !== "*") return { kind: "valid", matches: (origin) => origin === named };
  // `https://app.example.com:8443` around the name that is written: what stands before it, and what behind.
  const { protocol, hostname, port: fixedPort } = new URL(named);
  if (wildcard !== undefined && !/[a-z]/.test(hostname.split(".").at(-1) ?? "")) {
    return invalid("an origin by its name: an IP address has no subdomains");
  }
  const begin = `${protocol}//`;
  const suffix = fixedPort === "" ? hostname : `${hostname}:${fixedPort}`;
  return {
    kind: "valid",
    matches(origin) {
      if (!origin.startsWith(begin)) return false;
      const rest = origin.slice(begin.length);
      const portAt = port === "*" ? /(?::\d+)?$/.exec(rest)?.index : rest.length;
      const address = rest.slice(0, portAt);
      if (port === "*" && !PORT.test(rest.slice(portAt))) return false;
      if (wildcard === undefined) return address === suffix;
      return address.endsWith(`.${suffix}`) && SUBDOMAIN.test(address.slice(0, -suffix.length));
    },
  };
}

/** As a browser writes it; undefined: no page can have it. */
function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin;
  } catch {
    return undefined;
  }
}

function whyNot(text: string): string {
  const trimmed = text.replace(/\/+$/, "");
  if (trimmed !== text && ORIGIN.test(trimmed)) return `an origin without a path: ${trimmed}`;
  if (ORIGIN.test(`https://${text}`)) return `an origin with its scheme: https://${text}`;
  if (text.includes("*")) {
    return "an origin whose * is the whole list's only word, the first part of a host (https://*.example.com) or a port (http://localhost:*)";
  }
  return `an origin without a path, ${EXAMPLES}, or *`;
}

function invalid(expected: string): OriginReading {
  return { kind: "invalid", expected };
}
