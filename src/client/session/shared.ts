/** What several clients of one process use together, opened for the first and closed after the last. */

export interface Shared<T> {
  /** Returns what stands under this key, which `open` opens where nothing does, and what to call when it is used no more. */
  take(key: string, open: () => Closable<T>): { readonly item: T; readonly leave: () => void };
}

export interface Closable<T> {
  readonly item: T;
  readonly close: () => void;
}

export function createShared<T>(): Shared<T> {
  const all = new Map<string, Closable<T> & { users: number }>();
  return {
    take(key, open) {
      const entry = all.get(key) ?? { ...open(), users: 0 };
      all.set(key, entry);
      entry.users += 1;
      let isLeft = false;
      return {
        item: entry.item,
        leave() {
          if (isLeft) return;
          isLeft = true;
          entry.users -= 1;
          if (entry.users > 0) return;
          all.delete(key);
          entry.close();
        },
      };
    },
  };
}
