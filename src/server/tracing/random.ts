/** Chance, for the ids of spans and for which calls are sampled. */

import { randomBytes } from "node:crypto";

export interface Random {
  /** From 0 to below 1. */
  fraction(): number;
  /** So many bytes as lower-case hexadecimal, not all zero. */
  id(bytes: number): string;
}

export function createSystemRandom(): Random {
  return {
    fraction: Math.random,
    id(bytes) {
      for (;;) {
        const id = randomBytes(bytes);
        if (id.some((byte) => byte !== 0)) return id.toString("hex");
      }
    },
  };
}
