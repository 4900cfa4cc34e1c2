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
  /** Made for the first reader that is behind: most never are. */
  let kept: Map<K, O> | undefined;
  let writable = true;

  stream.onWritable(() => {
    writable = true;
    for (const [kind, message] of kept ?? NOTHING) {
      if (!writable) return;
      kept?.delete(kind);
      writable = stream.send(message);
    }
  });

  return {
    put(kind, message) {
      if (writable) {
        writable = stream.send(message);
      } else {
        kept ??= new Map();
        kept.delete(kind);
        kept.set(kind, message);
      }
    },
    keeps: (kind) => kept?.has(kind) ?? false,
    drop(kind) {
      kept?.delete(kind);
    },
    flush() {
      for (const [, message] of kept ?? NOTHING) stream.send(message);
      kept = undefined;
    },
  };
}

const NOTHING: readonly never[] = [];
