/** Looks at a limiter's books again and again: whether more is held than there is, or one token twice. */

import { setTimeout as sleep } from "node:timers/promises";
import { connect, ServerUnavailableError } from "../../../src/client/index.ts";

export interface Books extends AsyncDisposable {
  readonly looks: number;
  /** What was wrong. */
  readonly complaints: readonly string[];
}

/** ms between two looks. */
const PAUSE = 50;

export function watchBooks(
  address: string,
  limiters: readonly { readonly name: string; readonly permits: number }[],
): Books {
  const client = connect(address, { answerWithin: 30_000 });
  const complaints: string[] = [];
  let looks = 0;
  let over = false;

  async function look(name: string, permits: number): Promise<void> {
    const { permitsInUse } = (await client.limiters.get(name)).status;
    if (permitsInUse > permits) complaints.push(`${permitsInUse} of ${permits} permits of ${name} are in use`);
    const claims = [];
    for await (const lease of client.limiters.leases({ limiter: name })) claims.push(...lease.claims);
    const tokens = new Set(claims.map(({ fencingToken }) => fencingToken));
    if (claims.length > permits || tokens.size < claims.length) {
      complaints.push(`${claims.length} leases with ${tokens.size} tokens hold the ${permits} permits of ${name}`);
    }
    looks += 1;
  }

  const looking = (async () => {
    while (!over) {
      try {
        for (const { name, permits } of limiters) await look(name, permits);
      } catch (error) {
        // A machine that stalls may cost this client its connection, too.
        if (!(error instanceof ServerUnavailableError)) complaints.push(String(error));
      }
      await sleep(PAUSE);
    }
  })();
  return {
    get looks() {
      return looks;
    },
    complaints,
    async [Symbol.asyncDispose]() {
      over = true;
      await looking;
      await client.close();
    },
  };
}
