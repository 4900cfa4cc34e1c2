/** A page in a browser: how it goes away, and what it can still say then. */

import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import { requestHeader } from "@connectrpc/connect/protocol-connect";
import { type CallHeaders, checked, type HeadersOf } from "../rpc/headers.ts";
import type { Page } from "../rpc/page.ts";

/** Bytes that all requests which outlive a page may have together. */
const KEEPALIVE_BYTES = 64 * 1024;

/**
 * The page of this window; undefined in a worker, which ends without a word. `baseUrl` is that of the transport; without
 * it the page has no last words, and only closes its streams.
 *
 * A page that goes into the back/forward cache (`persisted`) is treated like one that goes for good: it stands still
 * there, cannot renew, and its connections are closed.
 */
export function currentPage(baseUrl: string | undefined, said: SaidWith = {}): Page | undefined {
  if (typeof window === "undefined") return undefined;
  return {
    onHide(listener) {
      window.addEventListener("pagehide", listener);
      return () => window.removeEventListener("pagehide", listener);
    },
    onShow(listener) {
      window.addEventListener("pageshow", listener);
      return () => window.removeEventListener("pageshow", listener);
    },
    sendLast(words) {
      if (baseUrl === undefined) return;
      let left = KEEPALIVE_BYTES;
      for (const { method, request } of words) {
        const body = toBinary(method.input, create(method.input, request));
        // What the browser would refuse is left to the ttl; a shorter one may still fit.
        if (body.length > left) continue;
        left -= body.length;
        const url = createMethodUrl(baseUrl, method);
        const init = { method: "POST", headers: headOf(method, said), body, keepalive: true };
        fetch(url, init).catch(() => {});
      }
    },
  };
}

/** What a page's last words are said with. */
interface SaidWith {
  /** Returns the token that was used last. */
  readonly token?: () => string | undefined;
  readonly headers?: HeadersOf | undefined;
}

/** Where the client's own headers cannot be said, the words are said without them: nobody would hear of the error. */
function headOf({ methodKind }: DescMethod, { token, headers }: SaidWith): Headers {
  let own: CallHeaders = {};
  try {
    if (headers !== undefined) own = checked(headers());
  } catch {
    // See above.
  }
  const all = requestHeader(methodKind, true, undefined, own, false);
  const known = token?.();
  if (known !== undefined) all.set("authorization", `Bearer ${known}`);
  return all;
}
