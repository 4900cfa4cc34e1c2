/** The one place through which the timeout of every call leaves the client. */

import type { Transport } from "@connectrpc/connect";
import { wholeTimeout } from "../wire/time.ts";

/**
 * Returns the transport with timeouts that every protocol can carry. A stream without a timeout has none, whatever default the
 * caller has given to its transport: a deadline would bound the time for which a lease may be held.
 */
export function withCheckedTimeouts(transport: Transport): Transport {
  return {
    async unary(method, signal, timeoutMs, ...rest) {
      return transport.unary(method, signal, timeoutMs === undefined ? undefined : wholeTimeout(timeoutMs), ...rest);
    },
    async stream(method, signal, timeoutMs, ...rest) {
      // Connect takes 0 for "none, whatever the default is".
      return transport.stream(method, signal, timeoutMs === undefined ? 0 : wholeTimeout(timeoutMs), ...rest);
    },
  };
}
