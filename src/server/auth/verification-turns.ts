/** Verifies the tokens of one address some at a time, so that how many were wrong is known before further ones are looked at. */

/** At once, as many as may be wrong at once. */
const AT_ONCE = 20;

export interface VerificationTurns {
  /** Resolves with what `verify` does, which is called when others of this address have been. */
  take<T>(address: string, verify: () => Promise<T>): Promise<T>;
}

interface Turns {
  underWay: number;
  readonly waiting: (() => void)[];
}

export function createVerificationTurns(): VerificationTurns {
  const addresses = new Map<string, Turns>();
  return {
    async take(address, verify) {
      const turns = addresses.get(address) ?? { underWay: 0, waiting: [] };
      addresses.set(address, turns);
      if (turns.underWay < AT_ONCE) turns.underWay += 1;
      else await new Promise<void>((resolve) => void turns.waiting.push(resolve));
      try {
        return await verify();
      } finally {
        const next = turns.waiting.shift();
        if (next !== undefined) {
          next();
        } else {
          turns.underWay -= 1;
          if (turns.underWay === 0) addresses.delete(address);
        }
      }
    },
  };
}
