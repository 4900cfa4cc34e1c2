/** Messages that arrive one by one, for one reader: what a stream of the transport would have said. */

export interface EventQueue<E> extends AsyncIterable<E> {
  push(event: E): void;
  /** Ends it after what was pushed, with this error if there is one. The first end counts; nothing is pushed after it. */
  end(error?: Error): void;
}

export function createEventQueue<E>(): EventQueue<E> {
  const unread: E[] = [];
  let over: { readonly error: Error | undefined } | undefined;
  let wakeReader = () => {};

  async function next(): Promise<IteratorResult<E, undefined>> {
    while (unread.length === 0 && over === undefined) {
      await new Promise<void>((resolve) => {
        wakeReader = resolve;
      });
    }
    const event = unread.shift();
    if (event !== undefined) return { done: false, value: event };
    if (over?.error !== undefined) throw over.error;
    return { done: true, value: undefined };
  }

  return {
    push(event) {
      if (over !== undefined) return;
      unread.push(event);
      wakeReader();
    },
    end(error) {
      over ??= { error };
      wakeReader();
    },
    [Symbol.asyncIterator]: () => ({ next }),
  };
}
