/** One call of SessionService: sends what there is to send as soon as it can, and hands on what comes. */

import { ConnectError, type Transport } from "@connectrpc/connect";
import {
  type SessionRequest,
  type SessionResponse,
  SessionService,
} from "../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { CallHeaders } from "../rpc/headers.ts";

export interface SessionCall {
  /** There is something to send. */
  wake(): void;
  /** Closes this side, after what there is to send: the server ends the call then. */
  finish(): void;
  /** Cancels it. */
  cut(): void;
}

export interface SessionCallOptions {
  /** Returns the headers of the call; undefined: it has none. */
  readonly headers: (() => CallHeaders) | undefined;
  /** Returns the next message to send; undefined: there is none now. */
  readonly take: () => SessionRequest | undefined;
  readonly onMessage: (message: SessionResponse) => void;
  /** It has ended, OK or with this error. Called once. */
  readonly onOver: (error: ConnectError | undefined) => void;
}

export function openSessionCall(
  transport: Transport,
  { headers, take, onMessage, onOver }: SessionCallOptions,
): SessionCall {
  const controller = new AbortController();
  let isFinished = false;
  let wakeSender = () => {};

  async function next(): Promise<IteratorResult<SessionRequest, undefined>> {
    for (;;) {
      const value = take();
      if (value !== undefined) return { done: false, value };
      if (isFinished) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        wakeSender = resolve;
      });
    }
  }

  async function follow(): Promise<void> {
    let error: ConnectError | undefined;
    try {
      // Connect throws into what it reads from when the call fails.
      const fail = (reason: unknown) => Promise.reject(reason);
      const requests = { [Symbol.asyncIterator]: () => ({ next, throw: fail }) };
      // Connect takes 0 for "no deadline, whatever the default is".
      const { session } = SessionService.method;
      const { message: responses } = await transport.stream(session, controller.signal, 0, headers?.(), requests);
      for await (const message of responses) onMessage(message);
    } catch (thrown) {
      error = ConnectError.from(thrown);
    }
    finish();
    onOver(error);
  }

  function finish(): void {
    isFinished = true;
    wakeSender();
  }

  void follow();
  return { wake: () => wakeSender(), finish, cut: () => controller.abort() };
}
