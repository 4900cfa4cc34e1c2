/** Reads the files that TLS is spoken with: all of them or none. */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { TlsFiles } from "../config/settings.ts";
import { Redacted } from "../redacted.ts";
import { contextOptionsOf, type TlsMaterial } from "../transport/port/tls-material.ts";

export type MaterialReading =
  | {
      readonly kind: "read";
      readonly material: Omit<TlsMaterial, "generation">;
      readonly certificate: CertificateFacts;
    }
  /** In one sentence: which file, what is wrong, what to do. */
  | { readonly kind: "unusable"; readonly problem: string };

/** What may be logged of a certificate. */
export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly notAfter: string;
  /** SHA-256. */
  readonly fingerprint: string;
}

/** More is no certificate, and no list of withdrawn ones that could be searched with each connection. */
const MAX_BYTES = 4 << 20;
/** Permissions of users who are neither the owner nor of its group. */
const OTHERS = 0o007;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

class Unusable extends Error {}

/** Never rejects. `now`: ms since 1970. */
export async function readMaterial(files: TlsFiles, now: number): Promise<MaterialReading> {
  try {
    const [cert, key, clientCa, clientCrl] = await Promise.all([
      readPem("tls.cert_file", files.certFile),
      readKeyFile(files.keyFile),
      files.clientCaFile === undefined ? undefined : readPem("tls.client_ca_file", files.clientCaFile),
      files.clientCrlFile === undefined ? undefined : readPem("tls.client_crl_file", files.clientCrlFile),
    ]);
    const certificate = certificatesOf("tls.cert_file", files.certFile, cert)[0] as X509Certificate;
    checkPair(files, certificate, parsedKey(files.keyFile, key));
    if (Date.parse(certificate.validTo) <= now) {
      throw new Unusable(`${named("tls.cert_file", files.certFile)} has run out on ${dateOf(certificate)}: renew it`);
    }
    if (files.clientCaFile !== undefined) certificatesOf("tls.client_ca_file", files.clientCaFile, clientCa as string);
    const material = { cert, key: new Redacted(key), clientCa, clientCrl };
    tryOut(files, material);
    return { kind: "read", material, certificate: factsOf(certificate) };
  } catch (error) {
    if (error instanceof Unusable) return { kind: "unusable", problem: error.message };
    throw error;
  }
}

async function readPem(field: string, path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new Unusable(`${named(field, path)} is larger than ${MAX_BYTES} bytes`);
    return await readFile(path, "latin1");
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(`${named(field, path)} cannot be read: ${whyUnreadable(error as NodeJS.ErrnoException)}`);
  }
}

async function readKeyFile(path: string): Promise<string> {
  const key = await readPem("tls.key_file", path);
  // What Windows says here means nothing.
  if (process.platform === "win32") return key;
  const { mode } = await stat(path);
  if ((mode & OTHERS) === 0) return key;
  throw new Unusable(
    `${named("tls.key_file", path)} may be used by every user of this machine: chmod 600 it (in Kubernetes: defaultMode 0440)`,
  );
}

function whyUnreadable({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT" || code === "ENOTDIR") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "the server may not read it";
  return code ?? message;
}

function certificatesOf(field: string, path: string, text: string): readonly X509Certificate[] {
  const blocks = text.match(CERTIFICATES) ?? [];
  if (blocks.length === 0) throw new Unusable(`${named(field, path)} has no certificate in PEM`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw new Unusable(`${named(field, path)} has a certificate that cannot be read`);
  }
}

function parsedKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ERR_MISSING_PASSPHRASE" ? "is encrypted: give it without a passphrase" : "has no private key in PEM";
    throw new Unusable(`${named("tls.key_file", path)} ${why}`);
  }
}

function checkPair({ certFile, keyFile }: TlsFiles, certificate: X509Certificate, key: KeyObject): void {
  if (certificate.checkPrivateKey(key)) return;
  throw new Unusable(
    `${named("tls.key_file", keyFile)} is not the key of the first certificate in ${named("tls.cert_file", certFile)}`,
  );
}

/** What is left to be wrong is found by OpenSSL, before anything that runs is touched. */
function tryOut(files: TlsFiles, material: Omit<TlsMaterial, "generation">): void {
  try {
    createSecureContext(contextOptionsOf({ ...material, clientCrl: undefined, generation: 0 }));
  } catch (error) {
    throw new Unusable(`${named("tls.cert_file", files.certFile)} cannot be used: ${(error as Error).message}`);
  }
  if (files.clientCrlFile === undefined) return;
  try {
    createSecureContext(contextOptionsOf({ ...material, generation: 0 }));
  } catch {
    throw new Unusable(
      `${named("tls.client_crl_file", files.clientCrlFile)} has no list of withdrawn certificates in PEM`,
    );
  }
}

function factsOf(certificate: X509Certificate): CertificateFacts {
  const { subject, issuer, fingerprint256 } = certificate;
  return {
    subject: inOneLine(subject),
    issuer: inOneLine(issuer),
    notAfter: dateOf(certificate),
    fingerprint: fingerprint256,
  };
}

function inOneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}

function dateOf({ validTo }: X509Certificate): string {
  return new Date(validTo).toISOString();
}

function named(field: string, path: string): string {
  return `${field} (${path})`;
}
