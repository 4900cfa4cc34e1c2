/** How late a loop was of late: exactly, since what is long ago would hide what is now. */

export interface RecentDelay {
  /** µs: half of all delays, and 99 of 100, were not longer. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/** µs: how far back it goes, and how much is forgotten at once. */
export const RECENT = 60_000_000;
const SLOT = 5_000_000;
const SLOTS = RECENT / SLOT;

interface Slot {
  /** Which of all slots there ever were it is. */
  readonly number: number;
  readonly delays: number[];
}

/** The delays of the last minute, give or take a slot: some 3,000 where one is recorded each 20 ms. */
export class RecentDelays {
  readonly #slots: Slot[] = [];

  record(delay: number, now: number): void {
    const number = Math.floor(now / SLOT);
    let slot = this.#slots.at(-1);
    if (slot?.number !== number) {
      slot = { number, delays: [] };
      this.#slots.push(slot);
      this.#forget(number);
    }
    slot.delays.push(delay);
  }

  /** All 0 where none was recorded. */
  read(now: number): RecentDelay {
    this.#forget(Math.floor(now / SLOT));
    const delays = Float64Array.from(this.#slots.flatMap((slot) => slot.delays)).sort();
    const atShare = (share: number) => delays[Math.max(0, Math.ceil(share * delays.length) - 1)] ?? 0;
    return { p50: atShare(0.5), p99: atShare(0.99), longest: atShare(1) };
  }

  #forget(number: number): void {
    while ((this.#slots[0]?.number ?? number) <= number - SLOTS) this.#slots.shift();
  }
}
