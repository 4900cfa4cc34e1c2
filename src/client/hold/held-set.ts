/** All that a client holds of one kind. */

interface Member {
  abandon(reason: unknown): Promise<void>;
  leavePage(): void;
}

export interface HeldSet<H extends Member> extends Iterable<H> {
  add(held: H): void;
  delete(held: H): void;
  /** Gives everything back because of `reason`, and waits until the server knows. */
  abandonAll(reason: unknown): Promise<void>;
  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void;
}

export function createHeldSet<H extends Member>(): HeldSet<H> {
  const members = new Set<H>();
  return {
    add: (held) => void members.add(held),
    delete: (held) => void members.delete(held),
    async abandonAll(reason) {
      await Promise.all([...members].map((held) => held.abandon(reason)));
    },
    leavePage() {
      for (const held of [...members]) held.leavePage();
    },
    [Symbol.iterator]: () => members.values(),
  };
}
