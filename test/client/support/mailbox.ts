/** Things that arrive, each awaited in turn. */

export interface Mailbox<T> {
  put(item: T): void;
  /** The next that arrives, or has arrived and was not taken. */
  next(): Promise<T>;
  /** Those that arrived and were not taken. */
  readonly untaken: readonly T[];
}

export function createMailbox<T>(): Mailbox<T> {
  const untaken: T[] = [];
  const takers: ((item: T) => void)[] = [];
  return {
    put(item) {
      const taker = takers.shift();
      if (taker === undefined) untaken.push(item);
      else taker(item);
    },
    next() {
      const item = untaken.shift();
      return item === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(item);
    },
    untaken,
  };
}
