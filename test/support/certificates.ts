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
  /** A list of withdrawn certificates. */
  withdraw(serials: readonly string[]): Promise<string>;
}

const LOOPBACK_NAMES = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
] as const;

export async function createAuthority(name = "tests"): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...between(-5 * MINUTE, 60 * MINUTE),
    serialNumber: nextSerial(),
    name: `CN=authority of ${name}`,
    keys: keys as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 2, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return {
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
    async withdraw(withdrawn) {
      const list = await X509CrlGenerator.create({
        issuer: certificate.subject,
        thisUpdate: new Date(Date.now() - MINUTE),
        nextUpdate: new Date(Date.now() + 30 * MINUTE),
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
