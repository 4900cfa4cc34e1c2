/** Certificates for tests: made when they are wanted, good for some minutes. */

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  type GeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

// From here alone, since the library wants what this file has loaded before it.
export { ExtendedKeyUsageExtension, Extension, SubjectAlternativeNameExtension } from "@peculiar/x509";

cryptoProvider.set(webcrypto as never);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const MINUTE = 60_000;
let serials = 0;

export interface Leaf {
  readonly cert: string;
  readonly key: string;
  readonly serial: string;
}

export interface LeafOptions {
  /** Default `CN=test`. */
  readonly subject?: string;
  /** Default: localhost and the loopback addresses. */
  readonly names?: readonly { readonly type: "dns" | "url" | "ip" | "email"; readonly value: string }[];
  /** Instead of `names`. */
  readonly extensions?: readonly Extension[];
  /** ms from now. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** An authority that vouches for servers and clients. */
export interface Authority {
  /** Its own certificate, in PEM. */
  readonly cert: string;
  issue(options?: LeafOptions): Promise<Leaf>;
  /** A list of withdrawn certificates; `nextUpdate`: ms from now. */
  withdraw(serials: readonly string[], nextUpdate?: number): Promise<string>;
  /** An authority that this one vouches for. */
  delegate(name: string): Promise<Authority>;
}

const LOOPBACK_NAMES = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
] as const;

interface Issuer {
  readonly certificate: X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

export async function createAuthority(name = "tests", by?: Issuer): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const subject = `CN=authority of ${name}`;
  const certificate = await X509CertificateGenerator.create({
    ...between(-5 * MINUTE, 60 * MINUTE),
    serialNumber: nextSerial(),
    subject,
    issuer: by?.certificate.subject ?? subject,
    publicKey: keys.publicKey as never,
    signingKey: (by?.privateKey ?? keys.privateKey) as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, by === undefined ? 2 : 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      // As authorities have it: two of one name are told apart by it.
      await SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  });
  return {
    delegate: (delegate) => createAuthority(delegate, { certificate, privateKey: keys.privateKey }),
    cert: certificate.toString("pem"),
    async issue({ subject = "CN=test", names = LOOPBACK_NAMES, extensions, notBefore, notAfter } = {}) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const serial = nextSerial();
      const leaf = await X509CertificateGenerator.create({
        ...between(notBefore ?? -5 * MINUTE, notAfter ?? 30 * MINUTE),
        serialNumber: serial,
        subject,
        issuer: certificate.subject,
        publicKey: own.publicKey as never,
        signingKey: keys.privateKey as never,
        signingAlgorithm: ALGORITHM,
        extensions: [
          await AuthorityKeyIdentifierExtension.create(new X509Certificate(certificate.rawData)),
          ...(extensions ?? [new SubjectAlternativeNameExtension([...names] as unknown as GeneralName[])]),
        ],
      });
      const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", own.privateKey);
      return { cert: leaf.toString("pem"), key: PemConverter.encode(pkcs8, "PRIVATE KEY"), serial };
    },
    async withdraw(withdrawn, nextUpdate = 30 * MINUTE) {
      const list = await X509CrlGenerator.create({
        issuer: certificate.subject,
        thisUpdate: new Date(Date.now() - 2 * MINUTE),
        nextUpdate: new Date(Date.now() + nextUpdate),
        entries: withdrawn.map((serialNumber) => ({ serialNumber })),
        signingKey: keys.privateKey as never,
        signingAlgorithm: ALGORITHM,
      });
      return PemConverter.encode(list.rawData, "X509 CRL");
    },
  };
}

function between(from: number, until: number) {
  return { notBefore: new Date(Date.now() + from), notAfter: new Date(Date.now() + until) };
}

function nextSerial(): string {
  serials += 1;
  return (0x1000 + serials).toString(16);
}
