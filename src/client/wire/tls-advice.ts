/** What to do about a connection that fails for its TLS, by what Node and OpenSSL say. */

const UNTRUSTED =
  "its certificate is of an authority that this client does not trust. Name that authority's certificate with tls.caFile (command line: --ca-file)";
const PLAIN = "it speaks plain text there. Write the address with http://, or name the port that speaks TLS";
const SECURE = "it speaks TLS there. Write the address with https://";
const NO_CERTIFICATE =
  "it wants a certificate of this client that it trusts. Give one with tls.certFile and tls.keyFile (command line: --cert-file, --key-file)";

const ADVICE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  ERR_TLS_CERT_ALTNAME_INVALID:
    "its certificate is for other names. Connect by one of them, or name one with tls.serverName (command line: --server-name)",
  CERT_HAS_EXPIRED: "its certificate has run out. Renew it at the server, or set the clock of this machine",
  CERT_NOT_YET_VALID: "its certificate does not count yet. Set the clock of this machine, or that of its authority",
  ERR_SSL_WRONG_VERSION_NUMBER: PLAIN,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: PLAIN,
  ERR_SSL_HTTP_REQUEST: PLAIN,
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
    "it speaks TLS without HTTP/2, which gRPC needs. Name the gRPC port, or have the proxy there offer h2 by ALPN",
  ERR_NO_HTTP2:
    "it speaks TLS without HTTP/2, which gRPC needs. Name the gRPC port, or have the proxy there offer h2 by ALPN",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: NO_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: NO_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: NO_CERTIFICATE,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: NO_CERTIFICATE,
};

/** How this service, and Node's HTTP/2, say that plain text is not spoken there. */
const INADEQUATE_SECURITY = /NGHTTP2_INADEQUATE_SECURITY|error code 12\b/;

/** How many causes are looked through: a chain may lead into itself. */
const DEEPEST_CAUSE = 10;

/** Undefined: it fails for something else. */
export function tlsAdvice(thrown: unknown): string | undefined {
  for (
    let error = thrown, depth = 0;
    error instanceof Error && depth < DEEPEST_CAUSE;
    error = error.cause, depth += 1
  ) {
    if (INADEQUATE_SECURITY.test(error.message)) return SECURE;
    const { code } = error as { readonly code?: unknown };
    const advice = typeof code === "string" ? ADVICE[code] : undefined;
    if (advice !== undefined) return advice;
  }
  return undefined;
}
