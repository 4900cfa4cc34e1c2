/** A call, or a stream, that passes another one on: its heirs change what they are about, and nothing else. */

import type { Caller } from "../access/caller.ts";
import type { OpenSpan } from "../tracing/tracer.ts";
import type { WireError } from "../wire/error-wire.ts";
import type { Call, ServerStream, StreamEnd } from "./rpc.ts";

export class PassedCall<C extends Call> implements Call {
  protected readonly passed: C;

  constructor(passed: C) {
    this.passed = passed;
  }

  get peer(): string {
    return this.passed.peer;
  }

  get timeout(): number | undefined {
    return this.passed.timeout;
  }

  get caller(): Caller {
    return this.passed.caller;
  }

  get span(): OpenSpan | undefined {
    return this.passed.span;
  }

  header(name: string): string | undefined {
    return this.passed.header(name);
  }
}

export class PassedStream<O, S extends ServerStream<O> = ServerStream<O>>
  extends PassedCall<S>
  implements ServerStream<O>
{
  get probed(): boolean {
    return this.passed.probed;
  }

  send(message: O): boolean {
    return this.passed.send(message);
  }

  onWritable(listener: () => void): void {
    this.passed.onWritable(listener);
  }

  end(): void {
    this.passed.end();
  }

  fail(error: WireError): void {
    this.passed.fail(error);
  }

  onEnd(listener: (how: StreamEnd) => void): void {
    this.passed.onEnd(listener);
  }
}
