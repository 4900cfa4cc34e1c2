/** Headers that the user of a client wants its calls to have. */

import type { Transport } from "@connectrpc/connect";

/** Said anew for each call. */
export type HeadersOf = () => Readonly<Record<string, string>>;

/** Headers by their names in lower case. */
export type CallHeaders = Readonly<Record<string, string>>;

/** What says to which trace a call belongs. It is the caller's, and stays the same over all attempts at one request. */
const TRACE: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);

/** A name, and on the next line a text that may stand behind it; the protocols' own names say how a call comes, and are theirs. */
const SENDABLE =
  /^(?!grpc-|connect-|content-|(?:te|host|connection|keep-alive|transfer-encoding|upgrade|user-agent)\n)[!#$%&'*+.^_`|~\w-]+\n[\t -~]*$/;

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
    const said = next ?? { ...withoutTrace(say()), ...pick(first, (name) => TRACE.has(name)) };
    next = undefined;
    return { headers: said };
  };
}

const NONE: RequestHeaders = () => ({});

/** Returns those that do not say to which trace a call belongs: those of a call that stands for many. */
export function withoutTrace(headers: CallHeaders): CallHeaders {
  return pick(headers, (name) => !TRACE.has(name));
}

function pick(headers: CallHeaders, wanted: (name: string) => boolean): CallHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => wanted(name)));
}

/** Returns headers as they are sent; throws a `TypeError` that says what is wrong with them, and never repeats a value. */
export function checked(headers: Readonly<Record<string, string>>): CallHeaders {
  if (headers === null || typeof headers !== "object" || "then" in headers) {
    throw new TypeError('headers must be said at once, as an object such as { authorization: "Bearer …" }');
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const header = name.toLowerCase();
      if (typeof value === "string" && SENDABLE.test(`${header}\n${value}`)) return [header, value];
      throw new TypeError(
        `the header ${JSON.stringify(name)} cannot be sent: it needs a name that is not the protocol's own, and a text of printable ASCII`,
      );
    }),
  );
}
