/** Where a token may be sent. */

const LOOPBACK = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Throws a `TypeError` where anybody on the way could read the token. */
export function requireSafeForToken(origin: string): void {
  const { protocol, hostname } = new URL(origin);
  if (protocol === "https:" || LOOPBACK.test(hostname)) return;
  throw new TypeError(
    `a token is not sent to ${origin} in plain text, where it could be read on the way: ` +
      `connect to ${JSON.stringify(origin.replace("http:", "https:"))}, to a server or a proxy that speaks TLS`,
  );
}
