/** A stream whose call is sampled: the same one, whose end its span hears of. */

import type { Caller } from "../access/caller.ts";
import type { OpenSpan } from "../tracing/tracer.ts";
import { Code, type WireError } from "../wire/error-wire.ts";
import type { BidiStream, ServerStream, StreamEnd } from "./rpc.ts";
import type { Outcome } from "./rpc-span.ts";

export class TracedStream<I, O> implements BidiStream<I, O> {
  readonly #stream: ServerStream<O> | BidiStream<I, O>;
  readonly #onOver: (outcome: Outcome) => void;
  #isOver = false;

  constructor(stream: ServerStream<O> | BidiStream<I, O>, onOver: (outcome: Outcome) => void) {
    this.#stream = stream;
    this.#onOver = onOver;
    // A service that does not listen has a span all the same.
    stream.onEnd(() => this.over({ code: Code.Canceled }));
  }

  get peer(): string {
    return this.#stream.peer;
  }

  get timeout(): number | undefined {
    return this.#stream.timeout;
  }

  get caller(): Caller {
    return this.#stream.caller;
  }

  get span(): OpenSpan | undefined {
    return this.#stream.span;
  }

  get probed(): boolean {
    return this.#stream.probed;
  }

  header(name: string): string | undefined {
    return this.#stream.header(name);
  }

  send(message: O): boolean {
    return this.#stream.send(message);
  }

  onWritable(listener: () => void): void {
    this.#stream.onWritable(listener);
  }

  end(): void {
    this.over({});
    this.#stream.end();
  }

  fail(error: WireError): void {
    this.over({ error });
    this.#stream.fail(error);
  }

  onEnd(listener: (how: StreamEnd) => void): void {
    this.#stream.onEnd((how) => {
      this.over({ code: Code.Canceled });
      listener(how);
    });
  }

  onMessage(listener: (message: I) => void): void {
    (this.#stream as BidiStream<I, O>).onMessage(listener);
  }

  onHalfClose(listener: () => void): void {
    (this.#stream as BidiStream<I, O>).onHalfClose(listener);
  }

  pause(): void {
    (this.#stream as BidiStream<I, O>).pause();
  }

  resume(): void {
    (this.#stream as BidiStream<I, O>).resume();
  }

  /** Its span ends, once. */
  over(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver(outcome);
  }
}
