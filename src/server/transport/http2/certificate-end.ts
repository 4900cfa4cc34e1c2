/** Ends a connection whose client's certificate has run out. */

import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock } from "../../clock.ts";

/** µs that streams may go on after that: the client connects again with its next certificate and takes up what it holds. */
const GRACE = 60_000_000;

/**
 * At the end of the certificate's time the client is asked to go elsewhere (GOAWAY); a minute later `end` is called. Does nothing for
 * a client without a valid certificate. Returns what calls it off.
 */
export function endWithCertificate(options: {
  readonly session: Http2Session;
  readonly socket: Socket;
  readonly clock: Clock;
  readonly end: () => void;
}): () => void {
  const { session, socket, clock, end } = options;
  const validTo = validToOf(socket);
  if (validTo === undefined) return () => {};
  let cancel = at(0, () => {
    session.close();
    cancel = at(GRACE, end);
  });

  /** The wall clock may be set meanwhile, so it is asked once more when the time has come. */
  function at(later: number, act: () => void): () => void {
    const now = clock.now();
    const left = ((validTo as number) - clock.wallTime(now)) * 1000 + later;
    if (left <= 0) return clock.schedule(now, false, act);
    return clock.schedule(now + left, false, () => {
      cancel = at(later, act);
    });
  }
  return () => cancel();
}

/** ms since 1970; undefined: there is no certificate, or none that counts. */
function validToOf(socket: Socket): number | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && Date.parse(certificate.validTo);
}
