/** What a port speaks TLS with: certificates and their key, as text. */

import { constants } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import type { Redacted } from "../../redacted.ts";

export interface TlsMaterial {
  /** The server's certificate and those between it and its authority, in PEM. */
  readonly cert: string;
  /** Its private key, in PEM. */
  readonly key: Redacted;
  /** Authorities of clients' certificates, in PEM; undefined: clients are asked for none. */
  readonly clientCa: string | undefined;
  /** Certificates of these authorities that are withdrawn, in PEM. */
  readonly clientCrl: string | undefined;
  /** Rises each time when the files have changed. */
  readonly generation: number;
}

/** Lists of withdrawn certificates in PEM, one of each authority. */
export const WITHDRAWN_LISTS = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g;

/** Throws what OpenSSL says where the parts are none, or do not belong together, once a context is made of it. */
export function contextOptionsOf({ cert, key, clientCa, clientCrl }: TlsMaterial): SecureContextOptions {
  return {
    cert,
    key: key.reveal(),
    minVersion: "TLSv1.2",
    ...(clientCa !== undefined && {
      ca: clientCa,
      // A client that comes back with a ticket is not asked for its certificate again, though it may have been withdrawn.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }),
    // Of a text that has several OpenSSL is given the first alone.
    ...(clientCrl !== undefined && { crl: clientCrl.match(WITHDRAWN_LISTS) ?? clientCrl }),
  };
}
