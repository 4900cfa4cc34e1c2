/** The name that a client's certificate gives it: `spiffe://…` or `dns:…`, never its common name. */

/** What Node makes of the names of a certificate: `DNS:a.example, URI:"spiffe://…"`; what it has quoted has characters of no name. */
const NAME = /^(?:([A-Za-z ]+):((?:"(?:[^"\\]|\\.)*")|[^,"]*))(?:, |$)/;
const SPIFFE = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/;
const DNS = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** As SPIFFE has it. */
const MAX_SPIFFE = 2048;
/** Segments of a path that lead elsewhere. */
const DOTS = /\/\.{1,2}(?:\/|$)/;

/**
 * Returns the name by `subjectAltName` of a certificate that was verified: its URI of SPIFFE, if that is the one URI that it has,
 * or else its first DNS name. Undefined: it has no name that counts. Nothing is guessed: one odd name spoils all.
 */
export function certificateName(subjectAltName: string | undefined): string | undefined {
  const names = namesOf(subjectAltName ?? "");
  if (names === undefined) return undefined;
  const uris = names.filter(({ type }) => type === "URI").map(({ value }) => value);
  const [uri] = uris;
  if (uris.length > 1) return undefined;
  if (uri?.startsWith("spiffe:")) {
    return uri.length <= MAX_SPIFFE && SPIFFE.test(uri) && !DOTS.test(uri) ? uri : undefined;
  }
  const dns = names.find(({ type }) => type === "DNS")?.value.toLowerCase();
  return dns !== undefined && DNS.test(dns) ? `dns:${dns}` : undefined;
}

interface Name {
  readonly type: string;
  readonly value: string;
}

/** Undefined where the text is not made of names alone. */
function namesOf(text: string): readonly Name[] | undefined {
  const names: Name[] = [];
  for (let rest = text; rest !== ""; ) {
    const [whole = "", type, value] = NAME.exec(rest) ?? [];
    // A quoted name has characters that could pass for further names.
    if (type === undefined || value === undefined || value.startsWith('"')) return undefined;
    names.push({ type, value });
    rest = rest.slice(whole.length);
  }
  return names;
}
