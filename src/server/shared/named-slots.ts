/** Finds the slot of a name in memory that all threads share. */

import { hash } from "node:crypto";

/** Names that are told apart at once; a power of two. */
export const SLOTS = 1 << 14;
/** Slots in which a name may stand, one behind the other. */
const PROBES = 16;

/** Of a name: where its slots begin, and what stands there for it. */
export interface SlotName {
  readonly home: number;
  /** Never 0. */
  readonly mark: number;
}

/** By a digest that nobody finds a second name for, so that no name can be chosen to stand in the way of another. */
export function slotNameOf(name: string): SlotName {
  const digest = hash("sha256", name, "buffer");
  return { home: digest.readUInt32LE(0) % SLOTS, mark: digest.readInt32LE(4) || 1 };
}

/**
 * Returns the slot of a name: that which it has, or else one whose name is at rest, of which nothing need be remembered. Where all are
 * busy it shares one with another name, and both have together what one may have.
 */
export function slotOf({ home, mark }: SlotName, marks: Int32Array, isAtRest: (slot: number) => boolean): number {
  for (let probe = 0; probe < PROBES; probe++) {
    const slot = (home + probe) % SLOTS;
    if (Atomics.load(marks, slot) === mark) return slot;
  }
  for (let probe = 0; probe < PROBES; probe++) {
    const slot = (home + probe) % SLOTS;
    const before = Atomics.load(marks, slot);
    if (before !== 0 && !isAtRest(slot)) continue;
    const seen = Atomics.compareExchange(marks, slot, before, mark);
    if (seen === before || seen === mark) return slot;
  }
  return home;
}
