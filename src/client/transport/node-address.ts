/** Where a server is, as callers in Node write it. */

const FORMS = 'write it as "localhost:50051", "http://10.0.0.7:50051" or "https://backpressure.example.com"';

/** The origin of `host:port`, `http://host:port` or `https://host[:port]`; throws a `TypeError` that says what is wrong. */
export function originOf(address: string): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  const url = URL.parse(hasScheme ? address : `http://${address}`);
  if (url === null || url.hostname === "") throw badAddress(address, "it is no address");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw badAddress(address, `gRPC goes over http or https, not ${url.protocol.slice(0, -1)}`);
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") throw badAddress(address, "gRPC knows no path");
  if (url.username !== "" || url.password !== "") throw badAddress(address, "it may not name a user");
  // The URL parser drops a port that its scheme implies, so the text is asked.
  const hasPort = /:\d+\/?$/.test(address);
  if (!hasPort && url.protocol === "http:") throw badAddress(address, "it names no port");
  return url.origin;
}

function badAddress(address: string, problem: string): TypeError {
  return new TypeError(`cannot connect to ${JSON.stringify(address)}: ${problem}; ${FORMS}`);
}
