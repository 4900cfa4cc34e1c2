/** Calls with a token: another is asked for where the server refuses it, and streams move before theirs runs out. */

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse, type Transport } from "@connectrpc/connect";
import type { Credentials } from "./credentials.ts";
import { linkSignals } from "./linked-signal.ts";

/**
 * Returns the transport with a token in each call. A call that is refused for its token is made once more if there is another. A stream
 * whose token is replaced, or is refused while there is another, ends as if its connection had been lost: what it stands for is taken up
 * again over another stream, under the new token. One that is refused after that fails.
 */
export function withToken(transport: Transport, credentials: Credentials): Transport {
  async function unary(...call: Parameters<Transport["unary"]>) {
    const [method, signal, timeoutMs, header, ...rest] = call;
    const token = await credentials.current();
    const make = async (with_: string) => {
      const response = await transport.unary(method, signal, timeoutMs, authorized(header, with_), ...rest);
      credentials.accepted(with_);
      return response;
    };
    try {
      return await make(token);
    } catch (thrown) {
      if (!(await isReplaced(thrown, token))) throw thrown;
      return make(await credentials.current());
    }
  }

  async function stream(...call: Parameters<Transport["stream"]>): Promise<StreamResponse> {
    const [method, given, timeoutMs, header, ...rest] = call;
    const token = await credentials.current();
    const { signal, abort, unlink } = linkSignals(given);
    const move = { isAsked: false };
    const callOff = credentials.onReplaced(token, () => {
      move.isAsked = true;
      abort();
    });
    const end = () => {
      callOff();
      unlink();
    };
    const errorOf = async (thrown: unknown) => (move.isAsked || (await isReplaced(thrown, token)) ? moved() : thrown);
    try {
      const response = await transport.stream(method, signal, timeoutMs, authorized(header, token), ...rest);
      const accepted = () => credentials.accepted(token);
      return { ...response, message: readOn(response.message, { accepted, errorOf, end }) } as StreamResponse;
    } catch (thrown) {
      end();
      throw await errorOf(thrown);
    }
  }

  async function isReplaced(thrown: unknown, token: string): Promise<boolean> {
    return ConnectError.from(thrown).code === Code.Unauthenticated && credentials.replace(token);
  }

  return { unary: unary as Transport["unary"], stream: stream as Transport["stream"] };
}

interface Reading {
  readonly accepted: () => void;
  readonly errorOf: (thrown: unknown) => Promise<unknown>;
  readonly end: () => void;
}

async function* readOn<O extends DescMessage>(
  messages: AsyncIterable<MessageShape<O>>,
  { accepted, errorOf, end }: Reading,
): AsyncGenerator<MessageShape<O>, void> {
  try {
    for await (const message of messages) {
      accepted();
      yield message;
    }
  } catch (thrown) {
    throw await errorOf(thrown);
  } finally {
    end();
  }
}

function moved(): ConnectError {
  return new ConnectError("the stream goes on under another token", Code.Unavailable);
}

function authorized(header: HeadersInit | undefined, token: string): Headers {
  const headers = new Headers(header);
  headers.set("authorization", `Bearer ${token}`);
  return headers;
}
