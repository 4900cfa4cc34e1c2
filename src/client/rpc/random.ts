/** Chance: the only file of the client that asks for randomness. */

export interface Random {
  /** 128 random bits, as 32 hexadecimal digits. */
  requestId(): string;
  /** In [0, 1), for jitter. */
  fraction(): number;
}

export function createRandom(): Random {
  return {
    requestId() {
      // Not randomUUID: browsers offer that to https pages alone.
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    fraction: () => Math.random(),
  };
}
