/**
 * Reads what Node does not show of certificates and lists of withdrawn ones (RFC 5280) from their DER. OpenSSL has accepted both before. A
 * library would make an object of each of the thousands of entries that such a list may have.
 */

export interface CertificateNumber {
  /** Its issuer, as the certificate has it. */
  readonly issuer: string;
  /** Of the issuer's own choice, in hex. */
  readonly serial: string;
}

/** A list of withdrawn certificates of one issuer. */
export interface WithdrawnList {
  readonly issuer: string;
  readonly serials: ReadonlySet<string>;
  /** ms since 1970 at which the next one comes, and this one counts no more; undefined: it does not say. */
  readonly nextUpdate: number | undefined;
}

/** One element: what it is, and where its content begins and ends. */
interface Element {
  readonly tag: number;
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;

/** Throws where it is no certificate. */
export function numberOfCertificate(der: Buffer): CertificateNumber {
  const fields = [...childrenOf(der, firstIn(der, elementAt(der, 0)))];
  const at = fields.findIndex(({ tag }) => tag === INTEGER);
  return { serial: hexOf(der, fields[at]), issuer: textOf(der, fields[at + 2]) };
}

/** Throws where it is no such list. */
export function readWithdrawnList(der: Buffer): WithdrawnList {
  const fields = [...childrenOf(der, firstIn(der, elementAt(der, 0)))];
  // Behind a version, which may be missing, come the algorithm and the issuer, and then when it was made.
  const issuerAt = fields[0]?.tag === INTEGER ? 2 : 1;
  const [, ...rest] = fields.slice(issuerAt + 1);
  const next = rest.find(({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME);
  const entries = rest.find(({ tag }) => tag === SEQUENCE);
  const serials = new Set<string>();
  if (entries !== undefined) for (const entry of childrenOf(der, entries)) serials.add(hexOf(der, firstIn(der, entry)));
  return { issuer: textOf(der, fields[issuerAt]), serials, nextUpdate: next && timeOf(der, next) };
}

function elementAt(der: Buffer, from: number): Element {
  const tag = der.readUInt8(from);
  const short = der.readUInt8(from + 1);
  const bytes = short < 0x80 ? 0 : short & 0x7f;
  const length = bytes === 0 ? short : der.readUIntBE(from + 2, bytes);
  const start = from + 2 + bytes;
  if (start + length > der.length) throw new RangeError("an element ends behind the end");
  return { tag, from, start, end: start + length };
}

function* childrenOf(der: Buffer, { start, end }: Element): Generator<Element> {
  for (let at = start; at < end; ) {
    const child = elementAt(der, at);
    yield child;
    at = child.end;
  }
}

function firstIn(der: Buffer, { start }: Element): Element {
  return elementAt(der, start);
}

function hexOf(der: Buffer, element: Element | undefined): string {
  if (element?.tag !== INTEGER) throw new TypeError("no number where one must be");
  return der.toString("hex", element.start, element.end);
}

function textOf(der: Buffer, element: Element | undefined): string {
  if (element === undefined) throw new TypeError("no name where one must be");
  return der.toString("latin1", element.from, element.end);
}

/** `YYMMDDhhmmssZ`, or the same with all digits of the year. */
function timeOf(der: Buffer, { tag, start, end }: Element): number {
  const text = der.toString("latin1", start, end);
  const whole = tag === GENERALIZED_TIME ? text : `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}`;
  return Date.parse(whole.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d).*$/, "$1-$2-$3T$4:$5:$6Z"));
}
