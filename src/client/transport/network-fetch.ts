/** `fetch` that names its failures. */

import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Fetches; a network that fails, before the response or in its body, comes as a `ConnectError` with `Code.Unavailable`.
 * `fetch` itself throws a `TypeError` with words of each browser's own, which nothing tells from a fault in a program.
 * An abort stays an abort.
 */
export const networkFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init).catch((reason) => {
    throw unavailable(reason);
  });
  if (response.body === null) return response;
  const { status, statusText, headers } = response;
  return new Response(guarded(response.body), { status, statusText, headers });
};

function guarded(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (reason) {
          controller.error(unavailable(reason));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    // Reads nothing ahead: a stream is read as fast as its reader asks.
    { highWaterMark: 0 },
  );
}

function unavailable(reason: unknown): unknown {
  const isNetwork = reason instanceof TypeError;
  return isNetwork ? new ConnectError(reason.message, Code.Unavailable, undefined, undefined, reason) : reason;
}
