/**
 * What has yet to be sent on a stream. A reader that is behind gets the newest of each kind and never a backlog: at most one
 * message of a kind is unsent.
 */

import type { ServerStream } from "./rpc.ts";

export interface Outbox<K, O> {
  /** Sends a message, or keeps it until the reader has caught up; a kept one of the same kind is replaced. */
  put(kind: K, message: O): void;
  /** Forgets a kept message of this kind. */
  drop(kind: K): void;
  /** Whether a message of this kind has not been handed to the stream yet. */
  keeps(kind: K): boolean;
  /** Hands everything kept to the stream, reader behind or not: it is about to end. */
  flush(): void;
}

export function createOutbox<K, O>(stream: ServerStream<O>): Outbox<K, O> {
  return new StreamOutbox(stream);
}

/** A class, since each stream has one: closures would take five times the memory. */
class StreamOutbox<K, O> implements Outbox<K, O> {
  readonly #stream: ServerStream<O>;
  /** Made for the first message that is kept: most readers are never behind. */
  #kept: Map<K, O> | undefined;
  #writable = true;

  constructor(stream: ServerStream<O>) {
    this.#stream = stream;
    stream.onWritable(() => this.#sendKept());
  }

  put(kind: K, message: O): void {
    if (this.#writable) {
      this.#writable = this.#stream.send(message);
      return;
    }
    this.#kept ??= new Map();
    this.#kept.delete(kind);
    this.#kept.set(kind, message);
  }

  keeps(kind: K): boolean {
    return this.#kept?.has(kind) ?? false;
  }

  drop(kind: K): void {
    this.#kept?.delete(kind);
  }

  flush(): void {
    for (const message of this.#kept?.values() ?? NOTHING) this.#stream.send(message);
    this.#kept = undefined;
  }

  #sendKept(): void {
    this.#writable = true;
    for (const [kind, message] of this.#kept ?? NOTHING) {
      if (!this.#writable) return;
      this.#kept?.delete(kind);
      this.#writable = this.#stream.send(message);
    }
  }
}

const NOTHING: readonly never[] = [];
