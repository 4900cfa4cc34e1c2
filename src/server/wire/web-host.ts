/** Names of hosts as the configuration writes them, and as the `Host` of a request says them. */

export type HostReading =
  | { readonly kind: "valid"; readonly matches: (host: string) => boolean }
  /** `expected` completes "must be". */
  | { readonly kind: "invalid"; readonly expected: string };

const EXAMPLES = "such as bp.example.com or *.example.com";
/** A name, which may begin with `*.`. */
const NAME = /^(\*\.)?([^\s:/?#@\\%*[\]]+)$/;
/** A name or an address in brackets, and perhaps a port. */
const HOST = /^([^\s:/?#@\\[\]]+|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i;
const ADDRESS = /^(?:\[.*\]|\d+\.\d+\.\d+\.\d+)$/;

/** Reads one name of the list, a `*` aside. It is compared in lower case, an international name in its ASCII form. */
export function readHost(text: string): HostReading {
  const [, wildcard, name = ""] = NAME.exec(text) ?? [];
  const named = name === "" ? undefined : hostOf(name);
  if (named === undefined) return { kind: "invalid", expected: whyNot(text) };
  if (wildcard === undefined) return { kind: "valid", matches: (host) => host === named };
  if (isAddress(named)) return { kind: "invalid", expected: "a name: an IP address has no subdomains" };
  return { kind: "valid", matches: (host) => host.endsWith(`.${named}`) };
}

/** Returns the host of a `Host` header as a URL has it, without its port; undefined: it is none that a browser sends. */
export function hostOf(header: string): string | undefined {
  if (!HOST.test(header)) return undefined;
  return URL.parse(`http://${header}`)?.hostname.replace(/\.$/, "");
}

/** Whether a host, as a URL has it, is an address, which no one can have lead elsewhere. */
export function isAddress(host: string): boolean {
  return ADDRESS.test(host);
}

/** Whether a browser takes the host for that of its own machine, whatever a name server says. */
export function isOwnMachine(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}

function whyNot(text: string): string {
  const bare = text.replace(/^https?:\/\//, "").replace(/[:/].*$/, "");
  if (bare !== text && NAME.test(bare)) return `a name without scheme, port and path: ${bare}`;
  if (text.includes("*")) return "a name whose * is the whole list's only word, or its first part (*.example.com)";
  return `the name of a host, ${EXAMPLES}, or *`;
}
