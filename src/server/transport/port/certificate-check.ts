/** Whether a client's certificate would count in a handshake, as OpenSSL decides it, without a handshake. */

import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { numberOfCertificate, readWithdrawnList, type WithdrawnList } from "./der.ts";
import { type TlsMaterial, WITHDRAWN_LISTS } from "./tls-material.ts";

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** Certificates between a client's and its authority's. */
const MOST_BETWEEN = 8;

/**
 * Returns what says it of a connection's certificate. `now`: ms since 1970. What is in doubt does not count, since a client that is sent away comes
 * back, and OpenSSL decides: so it is with one whose authority is vouched for by a certificate that the client has sent, which Node does not show.
 */
export function createCertificateCheck(
  { clientCa, clientCrl }: Pick<TlsMaterial, "clientCa" | "clientCrl">,
  now: number,
): (socket: TLSSocket) => boolean {
  const authorities = (clientCa?.match(CERTIFICATES) ?? []).map((pem) => new X509Certificate(pem));
  const roots = new Set(authorities.filter((one) => one.checkIssued(one)).map(({ fingerprint256 }) => fingerprint256));
  const lists = clientCrl === undefined ? undefined : listsOf(clientCrl);
  const known = new Map<string, boolean>();

  function isInForce(certificate: X509Certificate): boolean {
    if (Date.parse(certificate.validTo) <= now || Date.parse(certificate.validFrom) > now) return false;
    if (lists === undefined) return true;
    const { issuer, serial } = numberOfCertificate(certificate.raw);
    const list = lists.get(issuer);
    if (list === undefined || list.serials.has(serial)) return false;
    return list.nextUpdate === undefined || list.nextUpdate > now;
  }

  function leadsToRoot(certificate: X509Certificate, depth: number): boolean {
    if (!isInForce(certificate)) return false;
    if (roots.has(certificate.fingerprint256)) return true;
    if (depth > MOST_BETWEEN) return false;
    return authorities.some(
      (issuer) =>
        issuer.ca &&
        issuer.fingerprint256 !== certificate.fingerprint256 &&
        certificate.checkIssued(issuer) &&
        certificate.verify(issuer.publicKey) &&
        leadsToRoot(issuer, depth + 1),
    );
  }

  return (socket) => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return false;
    const { fingerprint256 } = certificate;
    let counts = known.get(fingerprint256);
    if (counts === undefined) {
      counts = leadsToRoot(certificate, 0);
      known.set(fingerprint256, counts);
    }
    return counts;
  };
}

/** By issuer; of two of one issuer, the later in the file. */
function listsOf(pem: string): ReadonlyMap<string, WithdrawnList> {
  const all = (pem.match(WITHDRAWN_LISTS) ?? []).map((list) => readWithdrawnList(derOf(list)));
  return new Map(all.map((list) => [list.issuer, list]));
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[^-]+-----/g, ""), "base64");
}
