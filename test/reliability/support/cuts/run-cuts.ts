/**
 * Clients that acquire, hold and release while their connections break again and again, and what the server's own books say of that
 * afterwards.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Client, Lease } from "../../../../src/client/index.ts";
import { createDice, type Dice } from "../../../server/machine/dice.ts";
import type { Carrier } from "../../../support/carrier.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";

export interface CutsOptions {
  readonly seed: number;
  /** host:port of a server with the limiter `db` of this many permits, and a ttl that no outage of a run comes near. */
  readonly address: string;
  readonly permits: number;
  /** Connects over the way that breaks. */
  readonly connect: (address: string) => Client;
  /** Connected to the server directly. */
  readonly direct: Client;
  /** ms for which connections break. */
  readonly lasts: number;
  readonly carrier: Carrier;
}

export interface CutsFound {
  readonly cuts: number;
  /** Leases that clients have had in their hands. */
  readonly held: number;
  /** What must not be. */
  readonly complaints: readonly string[];
}

const CLIENTS = 2;
/** So many of each client want one of the permits at once: most of them wait. */
const WORKERS = 8;
/** ms to hold a lease at most. */
const LONGEST_HOLD = 40;
/** ms: many times what the others before a waiter take. */
const LONGEST_WAIT = 8_000;
/** ms for the last releases to have arrived. */
const SETTLING = 3_000;

export async function runCuts(options: CutsOptions): Promise<CutsFound> {
  const { seed, address, permits, direct, lasts, carrier } = options;
  const dice = createDice(seed);
  const complaints: string[] = [];
  const before = (await direct.limiters.get("db")).status;
  await using proxy = await startCuttingProxy(address, dice);
  const books = openBooks(permits, complaints);
  const until = performance.now() + lasts;
  const clients = Array.from({ length: CLIENTS }, () => options.connect(proxy.address));

  async function work(client: Client, own: Dice): Promise<void> {
    while (performance.now() < until) {
      const lease = await ask(client, own, complaints);
      if (lease === undefined) continue;
      const leave = books.enter(lease);
      await sleep(own.roll(LONGEST_HOLD));
      leave();
      const end = await lease.release();
      if (end !== "released") complaints.push(`a lease was ${end} when it was released`);
    }
  }

  await Promise.all(clients.flatMap((client) => times(WORKERS, () => work(client, createDice(dice.roll(2 ** 31))))));
  proxy.heal();
  const cuts = proxy.cuts;
  await untilEmpty(direct, complaints);
  const after = (await direct.limiters.get("db")).status;
  const granted = after.grantedCount - before.grantedCount;
  // A TryAcquire whose caller is gone before its answer leaves is undone, and its retry is another grant. A session keeps what it
  // was granted.
  const mayBeUndone = carrier === "streams" ? cuts : 0;
  if (granted < books.held || granted > books.held + mayBeUndone)
    complaints.push(`the server has granted ${granted} leases, clients have had ${books.held}`);
  await Promise.all(clients.map((client) => client.close()));
  return { cuts, held: books.held, complaints };
}

/** Now and then without waiting. Undefined: not now. */
async function ask(client: Client, dice: Dice, complaints: string[]): Promise<Lease | undefined> {
  try {
    if (!dice.chance(20)) return await client.acquire("db", { maxWait: LONGEST_WAIT });
    const answer = await client.tryAcquire("db");
    if (answer.granted) return answer;
    await sleep(dice.roll(10));
  } catch (error) {
    complaints.push(`a request has ended with ${error}`);
  }
  return undefined;
}

/** What the holders know. */
function openBooks(permits: number, complaints: string[]) {
  const seen = new Set<string>();
  let inside = 0;
  return {
    get held() {
      return seen.size;
    },
    /** Returns what to do when the work is done. */
    enter({ id, signal }: Lease): () => void {
      if (seen.has(id)) complaints.push(`lease ${id} was handed out twice`);
      seen.add(id);
      inside += 1;
      if (inside > permits) complaints.push(`${inside} hold one of ${permits} permits`);
      const onLost = () => complaints.push(`lease ${id} was lost: ${signal.reason}`);
      signal.addEventListener("abort", onLost);
      return () => {
        signal.removeEventListener("abort", onLost);
        inside -= 1;
      };
    },
  };
}

/** Resolves when nothing is held and waited for any more, or that has taken longer than it may: much less than the ttl. */
async function untilEmpty(direct: Client, complaints: string[]): Promise<void> {
  const deadline = performance.now() + SETTLING;
  for (;;) {
    const { permitsInUse, leases, waiters } = (await direct.limiters.get("db")).status;
    if (permitsInUse + leases + waiters === 0) return;
    if (performance.now() > deadline) {
      complaints.push(
        `${permitsInUse} permits are in use by ${leases} leases, and ${waiters} wait, when all have released`,
      );
      return;
    }
    await sleep(20);
  }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
