/** Connecting from a browser: Connect over `fetch`. */

import type { Client, ClientOptions, CreateClientOptions } from "./api/client.ts";
import { createClientOn, type Place } from "./create-client.ts";
import { LAZY_PARTS } from "./lazy-parts.ts";
import { withToken } from "./rpc/authorized-transport.ts";
import { createSystemClock } from "./rpc/clock.ts";
import { type Credentials, createCredentials, type TokenSource } from "./rpc/credentials.ts";
import type { HeadersOf } from "./rpc/headers.ts";
import type { SharedPlaces } from "./rpc/stream-budget.ts";
import { createFetchTransport } from "./transport/fetch-transport.ts";
import { networkFetch } from "./transport/network-fetch.ts";
import { currentPage } from "./transport/page.ts";
import type { Platform } from "./transport/platform.ts";
import { createTabPlaces } from "./transport/tab-places.ts";
import { requireSafeForToken } from "./transport/token-address.ts";

/** How to connect from a browser. */
export interface ConnectOptions extends ClientOptions {
  /**
   * Shows the server who calls: a token, or a function that returns one, which is asked again 60 s before the end of a JWT, and once
   * where the server refuses the token. Streams move to the new one by themselves. It is sent over https alone, or to this machine.
   */
  readonly token?: TokenSource | undefined;
}

/**
 * Streams at once over HTTP/1.1: a browser has six connections to an origin for all calls of all its pages, and a lease
 * that could not be released for want of one would be held for ever.
 */
const HTTP1_STREAMS = 4;

/**
 * Connects to the web port of the service: `connect("https://backpressure.example.com")`, or `connect("")` for the
 * page's own origin.
 *
 * Over plain http at most 4 streams are open at once, and a fifth `acquire` rejects with a `TooManyStreamsError`; over
 * https (HTTP/2) there is no such bound. When the page goes away its leases are released, as far as the browser lets it,
 * also when it goes into the back/forward cache: their signals abort, with `PAGE_HIDDEN`.
 *
 * @param address a URL; a `TypeError` says what is wrong with it.
 */
export function connect(address: string, options: ConnectOptions = {}): Client {
  const url = URL.parse(address, globalThis.location?.href);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TypeError(
      `cannot connect to ${JSON.stringify(address)}: write it as "https://backpressure.example.com", ` +
        'or "" for the page\'s own origin',
    );
  }
  const baseUrl = address === "" ? url.origin : `${url.origin}${url.pathname}`.replace(/\/$/, "");
  if (options.token !== undefined) requireSafeForToken(url.origin);
  const credentials = options.token === undefined ? undefined : createCredentials(createSystemClock(), options.token);
  const plain = createFetchTransport({ baseUrl, fetch: networkFetch });
  const transport = credentials === undefined ? plain : withToken(plain, credentials);
  const maxStreams = options.maxStreams ?? (url.protocol === "http:" ? HTTP1_STREAMS : undefined);
  const place = placeAt(baseUrl, { places: placesAt(url, maxStreams), credentials, headers: options.headers });
  return createClientOn(place, {
    ...options,
    maxStreams,
    transport,
    address: baseUrl,
  });
}

/** A client over a Connect transport that the caller brings. */
export function createClient(options: CreateClientOptions): Client {
  return createClientOn(placeAt(undefined), options);
}

/** Web Locks are there in secure contexts: over https, and on localhost. */
function placesAt({ protocol, origin }: URL, maxStreams: number | undefined): SharedPlaces | undefined {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  if (protocol !== "http:" || maxStreams === undefined || locks === undefined) return undefined;
  return createTabPlaces(locks, `ggen-backpressure ${origin}`, maxStreams);
}

interface PlaceOptions {
  readonly places?: SharedPlaces | undefined;
  readonly credentials?: Credentials | undefined;
  readonly headers?: HeadersOf | undefined;
}

function placeAt(baseUrl: string | undefined, { places, credentials, headers }: PlaceOptions = {}): Place {
  const platform: Platform = {
    warn: (message, stack) => console.warn(`${message}\nacquired\n${stack}`),
    page: currentPage(baseUrl, { token: () => credentials?.latest, headers }),
    places,
  };
  return { platform, parts: LAZY_PARTS };
}
