/** The resource that is protected: a write to it shows the slot and the fencing token of its lease. */

export interface Write {
  readonly slot: number;
  readonly fencingToken: bigint;
  /** Whether its lease was good when it was written, which a naive holder does not look at. */
  readonly valid: boolean;
}

export interface Resource {
  /** All that it has taken, in its order. */
  readonly accepted: readonly Write[];
  readonly refused: readonly Write[];
  write(write: Write): void;
}

/** `checks`: keeps the highest fencing token of each slot, and refuses a write with a lower one. */
export function createResource({ checks }: { readonly checks: boolean }): Resource {
  const highest = new Map<number, bigint>();
  const accepted: Write[] = [];
  const refused: Write[] = [];
  return {
    accepted,
    refused,
    write(write) {
      const { slot, fencingToken } = write;
      if (checks && fencingToken < (highest.get(slot) ?? 0n)) {
        refused.push(write);
        return;
      }
      highest.set(slot, fencingToken);
      accepted.push(write);
    },
  };
}

/** Of writes in their order, those that came after one of a newer holder of the same slot. */
export function staleOf(writes: readonly Write[]): readonly Write[] {
  const newest = new Map<number, bigint>();
  return writes.filter(({ slot, fencingToken }) => {
    const before = newest.get(slot) ?? 0n;
    if (fencingToken > before) newest.set(slot, fencingToken);
    return fencingToken < before;
  });
}
