/** Headers that the user of a client wants its calls to have. */

import type { Transport } from "@connectrpc/connect";

/** Said anew for each call. */
export type HeadersOf = () => Readonly<Record<string, string>>;

/** Headers by their names in lower case. */
export type CallHeaders = Readonly<Record<string, string>>;

/** What says to which trace a call belongs. It is the caller's, and stays the same over all attempts at one request. */
const TRACE = ["traceparent", "tracestate", "baggage"] as const;

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t -~]*$/;
/** What the protocols say of a call in their own words. */
const OF_THE_PROTOCOL =
  /^(:|grpc-|connect-|content-|(te|host|connection|keep-alive|transfer-encoding|upgrade|user-agent)$)/i;

/** Returns the transport with headers for each call that has none yet. */
export function withHeaders(transport: Transport, headers: HeadersOf): Transport {
  return {
    async unary(method, signal, timeoutMs, header, ...rest) {
      return transport.unary(method, signal, timeoutMs, header ?? checked(headers()), ...rest);
    },
    async stream(method, signal, timeoutMs, header, ...rest) {
      return transport.stream(method, signal, timeoutMs, header ?? checked(headers()), ...rest);
    },
  };
}

/** The options of the calls that one request makes, in the terms of Connect. */
export type RequestHeaders = () => { readonly headers?: CallHeaders };

/**
 * Returns the headers of one request, `own` beside and before those of the client: asked for at once, while the code that makes the
 * request is running, and anew for each attempt after the first, as a token may have run out. All have the trace of the first.
 */
export function requestHeaders(headers: HeadersOf | undefined, own: CallHeaders | undefined): RequestHeaders {
  if (headers === undefined && own === undefined) return NONE;
  const say = () => ({ ...(headers && checked(headers())), ...(own && checked(own)) });
  const first = say();
  let next: CallHeaders | undefined = first;
  return () => {
    const said = next ?? { ...withoutTrace(say()), ...traceOf(first) };
    next = undefined;
    return { headers: said };
  };
}

const NONE: RequestHeaders = () => ({});

/** Returns those that say to which trace a call belongs. */
function traceOf(headers: CallHeaders): CallHeaders {
  return Object.fromEntries(TRACE.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}

/** Returns the others: those of a call that stands for many. */
export function withoutTrace(headers: CallHeaders): CallHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !(TRACE as readonly string[]).includes(name)));
}

/** Returns headers as they are sent; throws a `TypeError` that says what is wrong with them, and never repeats a value. */
export function checked(headers: unknown): CallHeaders {
  if (typeof headers !== "object" || headers === null || headers instanceof Promise || Array.isArray(headers)) {
    throw new TypeError(`headers must be an object such as { authorization: "Bearer …" }; found ${kindOf(headers)}`);
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (!NAME.test(name)) throw new TypeError(`headers have ${JSON.stringify(name)}, which is no name of a header`);
      if (OF_THE_PROTOCOL.test(name)) throw new TypeError(`headers have ${name}, which the protocol says itself`);
      if (typeof value !== "string") {
        throw new TypeError(
          `the header ${name} must be a string; found ${kindOf(value)}: leave it out where there is none`,
        );
      }
      if (!VALUE.test(value)) throw new TypeError(`the header ${name} must be of printable ASCII characters`);
      return [name.toLowerCase(), value];
    }),
  );
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) return "a promise: what is not known at once cannot be a header";
  if (Array.isArray(value)) return "a list";
  return value === null ? "null" : typeof value;
}
