/**
 * How fast one connection may read the contract. A question of some bytes is answered with a file of some 30
 * KB, so a client that asks without end would else take all of the server's time and as much of its network.
 */

import type { Clock } from "../clock.ts";

export interface Pace {
  /** Returns the µs until this peer may be given another answer; 0: now. */
  wait(peer: string): number;
  /** So many bytes go to this peer now. */
  spend(peer: string, bytes: number): void;
}

/** µs that a byte takes, once the burst is spent: 1 MB a second. */
const MICROS_A_BYTE = 1;
/** Bytes that a peer may be given at once: the whole contract many times. */
const BURST = 8 << 20;
/** Peers that are remembered before those whose burst is whole again are forgotten. */
const MANY_PEERS = 1_000;

export function createPace(clock: Clock): Pace {
  /** The instant at which each peer's burst is whole again. */
  const wholeAt = new Map<string, number>();

  return {
    wait: (peer) => Math.max(0, (wholeAt.get(peer) ?? 0) - clock.now() - BURST * MICROS_A_BYTE),
    spend(peer, bytes) {
      const now = clock.now();
      if (wholeAt.size >= MANY_PEERS) {
        for (const [each, at] of wholeAt) if (at <= now) wholeAt.delete(each);
      }
      wholeAt.set(peer, Math.max(now, wholeAt.get(peer) ?? 0) + bytes * MICROS_A_BYTE);
    },
  };
}
