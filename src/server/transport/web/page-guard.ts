/**
 * Keeps pages of others away from calls and figures: any page that is open in a browser can have it send requests to this port, with
 * whatever the browser adds of its own.
 *
 * What a page cannot change are the headers of its browser. `Sec-Fetch-Site` says whose page has asked (W3C Fetch Metadata), `Origin`
 * too, with each POST and each request across origins. Browsers leave the first out where they ask by HTTP for another host than their own machine. There a
 * page can be of this very origin and be hostile: its name led to its own server, and now leads to this one (DNS rebinding). A plain
 * GET of such a page has neither of both headers, so it is its `Host` that counts. What other clients POST has none of this, and
 * passes by whatever name.
 */

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { foreignPage, unknownHost, type WireError } from "../../wire/error-wire.ts";
import { hostOf, isAddress, isOwnMachine, readHost } from "../../wire/web-host.ts";
import type { Cors } from "./cors.ts";
import type { WebRequest } from "./exchange.ts";

export interface PageGuard {
  /** Returns why a request is refused that a page may have sent; undefined: it is not. */
  refusalOf(request: WebRequest, about: RequestFacts): WireError | undefined;
}

export interface RequestFacts {
  /** Undefined: its connection has gone. */
  readonly socket: Socket | undefined;
  /** Whether it goes by a credential that no browser adds by itself. */
  readonly showsToken: boolean;
}

export interface PageGuardOptions {
  /** As of `Cors`. */
  readonly allows: Cors["allows"];
  /** Names by which browsers reach the port, as `readHost` takes them; `*`: any. */
  readonly hosts: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
}

/** µs between two lines of the log. */
const QUIET_TIME = 60_000_000;

export function createPageGuard({ allows, hosts, log, clock }: PageGuardOptions): PageGuard {
  const any = hosts.includes("*");
  const matchers = hosts.flatMap((host) => {
    const reading = readHost(host);
    return reading.kind === "valid" ? [reading.matches] : [];
  });
  let quietUntil = Number.NEGATIVE_INFINITY;
  let times = 0;

  function isKnown(host: string): boolean {
    return isAddress(host) || isOwnMachine(host) || matchers.some((matches) => matches(host));
  }

  function refusalOf(request: WebRequest, { socket, showsToken }: RequestFacts): WireError | undefined {
    const { origin, "sec-fetch-site": site } = request.headers;
    if (allows(origin)) return undefined;
    const isOwn = isOfOwnPage(request);
    // `none`: a person has typed the address.
    if (!isOwn && (origin !== undefined || (site !== undefined && site !== "none"))) return foreignPage(origin);
    // A browser that says whose page has asked has come by HTTPS, or to its own machine: so no name was bent.
    if (site !== undefined || socket instanceof TLSSocket || showsToken) return undefined;
    return isOwn || request.method === "GET" || request.method === "HEAD" ? nameRefusal(request) : undefined;
  }

  function nameRefusal(request: WebRequest): WireError | undefined {
    const header = hostHeaderOf(request);
    // Each browser sends one.
    if (any || header === undefined) return undefined;
    const host = hostOf(header);
    return host !== undefined && isKnown(host) ? undefined : unknownHost(header);
  }

  return {
    refusalOf(request, about) {
      const refusal = refusalOf(request, about);
      if (refusal === undefined) return undefined;
      times += 1;
      const now = clock.now();
      if (now >= quietUntil) {
        log.warn(
          { event: "page-refused", error: refusal.message, times },
          "requests that a page may have sent are refused",
        );
        quietUntil = now + QUIET_TIME;
        times = 0;
      }
      return refusal;
    },
  };
}

/** Whether a page of this port has sent the request, as far as its browser knows: without `Sec-Fetch-Site` the name may be bent. */
export function isOfOwnPage(request: WebRequest): boolean {
  const { origin, "sec-fetch-site": site } = request.headers;
  if (site !== undefined) return site === "same-origin";
  return origin !== undefined && isOriginOf(origin, hostHeaderOf(request) ?? "");
}

/** A proxy may have ended TLS, so that the scheme is left out. */
function isOriginOf(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  return page !== null && page.host !== "" && page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}

function hostHeaderOf({ headers }: WebRequest): string | undefined {
  const authority = headers[":authority"];
  return typeof authority === "string" ? authority : headers.host;
}
