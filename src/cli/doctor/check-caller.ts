/** Why a server that answers does not serve this caller, and what to do. */

import { AdmissionError, PermissionDeniedError, UnauthenticatedError } from "../../client/api/errors.ts";
import type { Shown } from "../session/credentials.ts";
import type { Finding } from "./finding.ts";

/** Undefined: it fails for something else. `now`: ms since 1970. */
export function checkCaller(address: string, thrown: unknown, shown: Shown, now: number): Finding | undefined {
  if (!(thrown instanceof AdmissionError)) return undefined;
  const finding = { level: "problem", check: "caller" } as const;
  if (thrown instanceof PermissionDeniedError) {
    return {
      ...finding,
      what: `${address} answers, and does not allow this caller what is asked here`,
      why: thrown.message,
      todo: "have an entry of the server's access list say `may: [observe]` for this caller; `backpressure access WHO observe NAME` says which entries do",
    };
  }
  if (!(thrown instanceof UnauthenticatedError)) return undefined;
  return { ...finding, what: `${address} answers, and does not know who calls`, ...reasonOf(shown, now) };
}

function reasonOf({ token, certificate, tokenEndsAt }: Shown, now: number): Pick<Finding, "why" | "todo"> {
  if (tokenEndsAt !== undefined && tokenEndsAt <= now) {
    return {
      why: `the token has run out on ${new Date(tokenEndsAt).toISOString()}`,
      todo: "get another, or have what renews its file run",
    };
  }
  if (token) {
    return {
      why: "the token that --token-file names does not count there",
      todo: "see whether it is of this server, for its audience, and not withdrawn; the server's log has `credential-refused`, and `auth` of its file says what counts",
    };
  }
  if (certificate) {
    return {
      why: "the certificate that --cert-file names does not count there",
      todo: "see whether it is of an authority of tls.client_ca_file, has not run out, and has one URI or a DNS name as its subjectAltName",
    };
  }
  return {
    why: "it asks callers for a credential, and this command shows none",
    todo: "show a token (--token-file, BACKPRESSURE_TOKEN_FILE) or a certificate (--cert-file and --key-file)",
  };
}
