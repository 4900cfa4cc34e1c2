/** A streaming call of connect-node as services see it: they push, and its async iterator is pulled from. */

import type { DescMethod, Message } from "@bufbuild/protobuf";
import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import { ANONYMOUS, type Caller } from "../../access/caller.ts";
import type { BidiStream, Call, StreamEnd } from "../../service/rpc.ts";
import { credentialExpired, type WireError } from "../../wire/error-wire.ts";
import { type MethodTimes, OK, type StatusCode } from "../rpc/call-times.ts";
import type { Dispatcher } from "../rpc/dispatch.ts";
import { STREAM_WINDOW } from "../rpc/window.ts";
import { connectErrorOf } from "./error.ts";
import { exchangeKey, type WebExchange } from "./exchange.ts";
import { codeOf } from "./status.ts";

export interface WebStreamOptions {
  readonly method: DescMethod;
  readonly context: HandlerContext;
  readonly dispatcher: Dispatcher;
  readonly times: MethodTimes;
  /** The requests of a stream in both directions. */
  readonly requests?: AsyncIterable<Message>;
}

interface Pull {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(reason: unknown): void;
}

/**
 * The iterator is pulled from when the message before has left this process (see `WebExchange.write`), so what is not
 * pulled is unsent, and `send` tells the truth about the reader.
 */
export class WebStream implements BidiStream<Message, Message>, AsyncIterator<Message, undefined> {
  span: Call["span"];
  readonly #options: WebStreamOptions;
  readonly #exchange: WebExchange | undefined;
  readonly #beganAt: number;
  #queue: Message[] = [];
  /** Whether a pulled message is still being written. */
  #writing = false;
  #pull: Pull | undefined;
  #behind = false;
  #ended = false;
  #error: unknown;
  #onWritable: () => void = () => {};
  #onEnd: (how: StreamEnd) => void = () => {};
  #onHalfClose: () => void = () => {};
  #paused = false;
  #readOn: () => void = () => {};

  constructor(options: WebStreamOptions) {
    this.#options = options;
    this.#beganAt = options.times.began();
    this.#exchange = options.context.values.get(exchangeKey);
    const { signal } = options.context;
    // Aborted when the exchange is, when the deadline has passed, and when all is over.
    if (signal.aborted) queueMicrotask(() => this.#leave(signal.reason));
    else signal.addEventListener("abort", () => this.#leave(signal.reason), { once: true });
    this.#exchange?.onCredentialEnd(() => this.#outliveCredential());
  }

  get caller(): Caller {
    return this.#exchange?.caller ?? ANONYMOUS;
  }

  get peer(): string {
    return this.#exchange?.peer ?? "unknown";
  }

  get probed(): boolean {
    return this.#exchange?.probed ?? false;
  }

  get timeout(): number | undefined {
    return this.#exchange?.timeout;
  }

  header(name: string): string | undefined {
    return this.#options.context.requestHeader.get(name) ?? undefined;
  }

  /** Whether it is over, whichever side ended it. */
  get ended(): boolean {
    return this.#ended;
  }

  send(message: Message): boolean {
    if (this.#ended) return true;
    if (this.#pull) {
      this.#writing = true;
      this.#settle((pull) => pull.resolve({ done: false, value: message }));
    } else {
      this.#queue.push(message);
    }
    if (this.#queue.length + Number(this.#writing) < STREAM_WINDOW) return true;
    this.#behind = true;
    return false;
  }

  onWritable(listener: () => void): void {
    this.#onWritable = listener;
  }

  end(): void {
    if (this.#ended) return;
    this.#over(OK);
    this.#settle((pull) => pull.resolve(DONE));
    this.#readOn();
  }

  fail(error: WireError): void {
    const { dispatcher, method, context } = this.#options;
    if (this.#ended) return;
    dispatcher.refused(method, error, this);
    this.#breakOff(connectErrorOf(error, context.protocolName));
  }

  /** Ends the stream with what its caller hears of something that was thrown. */
  failOf(thrown: unknown): void {
    if (!this.#ended) this.#breakOff(this.#errorOf(thrown));
  }

  onEnd(listener: (how: StreamEnd) => void): void {
    this.#onEnd = listener;
  }

  onMessage(listener: (message: Message) => void): void {
    const { method, dispatcher } = this.#options;
    const read = async () => {
      try {
        for await (const message of this.#options.requests ?? []) {
          // Nothing is read for a reader that does not keep up, so that nothing piles up between the two.
          while ((this.#behind || this.#paused) && !this.#ended) {
            await new Promise<void>((resolve) => (this.#readOn = resolve));
          }
          if (this.#ended) return;
          dispatcher.check(method, message);
          listener(message);
        }
        if (!this.#ended) this.#onHalfClose();
      } catch (thrown) {
        if (this.#ended) return;
        if (thrown instanceof ConnectError) {
          // What came was no message, or too large a one.
          dispatcher.refused(method, thrown, this);
          this.#breakOff(thrown);
        } else {
          this.failOf(thrown);
        }
        this.#onEnd("lost");
      }
    };
    read();
  }

  onHalfClose(listener: () => void): void {
    this.#onHalfClose = listener;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#readOn();
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const value = this.#queue.shift();
    this.#writing = value !== undefined;
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#ended) return this.#error === undefined ? Promise.resolve(DONE) : Promise.reject(this.#error);
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Message, undefined>>();
    this.#pull = { resolve, reject };
    if (this.#behind) {
      this.#behind = false;
      this.#readOn();
      this.#onWritable();
    }
    return promise;
  }

  /** The reader has stopped pulling. */
  return(): Promise<IteratorResult<Message, undefined>> {
    this.#leave(undefined);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #errorOf(thrown: unknown): ConnectError {
    const { dispatcher, method, context } = this.#options;
    return connectErrorOf(dispatcher.errorOf(method, thrown, this), context.protocolName);
  }

  #outliveCredential(): void {
    if (this.#ended) return;
    this.fail(credentialExpired());
    this.#onEnd("lost");
  }

  #breakOff(error: unknown): void {
    if (this.#ended) return;
    this.#over(codeOf(error));
    this.#error = error;
    this.#settle((pull) => pull.reject(error));
    this.#readOn();
  }

  /** The stream has ended without the service's doing, or is over. What is unsent stays so. */
  #leave(reason: unknown): void {
    this.#queue = [];
    if (this.#ended) return;
    this.#breakOff(reason);
    this.#onEnd(this.#exchange?.howEnded() ?? "lost");
  }

  #over(code: StatusCode): void {
    this.#ended = true;
    this.#options.times.ended(this.#beganAt, code);
  }

  #settle(how: (pull: Pull) => void): void {
    const pull = this.#pull;
    this.#pull = undefined;
    if (pull) how(pull);
  }
}

const DONE = { done: true, value: undefined } as const;
