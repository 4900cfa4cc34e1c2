/** What was asked of a server, and what it has answered, to be held against what it knows after a restart. */

/** One request for a permit. */
export interface Ask {
  readonly holder: string;
  /** Empty: it cannot be asked again. */
  readonly requestId: string;
  answer: Answer;
}

type Answer =
  | { readonly kind: "unanswered" | "refused" }
  | Granted
  /** Its end was asked for: after a restart it may have gone, or live on for its ttl. */
  | (Omit<Granted, "kind"> & { readonly kind: "given-back" });

export interface Granted {
  readonly kind: "granted";
  readonly leaseId: string;
  readonly secret: string;
  readonly fencingToken: bigint;
}

/** A card or a limiter, of which one client at a time disposes, one change after the other. */
export interface Thing {
  readonly of: "card" | "limiter";
  readonly name: string;
  /** What was last answered; undefined: it is not there. */
  state: string | undefined;
  /** What was asked last and not answered. */
  asked: { readonly state: string | undefined } | undefined;
}

export interface Ledger {
  readonly permits: number;
  readonly asks: readonly Ask[];
  readonly things: readonly Thing[];
  /** What must not be, in words. */
  readonly breaches: readonly string[];
  ask(about: Pick<Ask, "holder" | "requestId">): Ask;
  /** How often something was answered that has to be kept: grants and changes. */
  readonly promises: number;
  granted(ask: Ask, granted: Omit<Granted, "kind">): void;
  givingBack(ask: Ask): void;
  /** A thing that is not there yet, to dispose of. */
  create(about: Pick<Thing, "of" | "name">): Thing;
  /** Things that are there and of which no client disposes, at most so many, to dispose of until all is settled. */
  take(most: number): Thing[];
  /** What was asked for was answered. */
  changed(thing: Thing): void;
  breach(what: string): void;
  /** Fencing tokens up to the highest so far are of the past: those to come must be above. */
  closeTokens(): void;
  /** What was asked for is settled: it begins anew with what is there. */
  settle(): void;
}

export function createLedger({ permits }: { readonly permits: number }): Ledger {
  let asks: Ask[] = [];
  let things: Thing[] = [];
  const taken = new Set<Thing>();
  const breaches: string[] = [];
  const tokens = new Set<bigint>();
  let highest = 0n;
  let floor = 0n;
  let promises = 0;
  const breach = (what: string) => void breaches.push(what);
  const leasesOf = () => new Set(asks.flatMap(({ answer }) => ("leaseId" in answer ? answer.leaseId : [])));

  return {
    permits,
    get asks() {
      return asks;
    },
    get things() {
      return things;
    },
    breaches,
    breach,
    get promises() {
      return promises;
    },
    ask(about) {
      const one: Ask = { ...about, answer: { kind: "unanswered" } };
      asks.push(one);
      return one;
    },
    granted(one, { leaseId, secret, fencingToken }) {
      if (leasesOf().has(leaseId)) breach(`${leaseId} was granted to ${one.holder}, and to another`);
      if (tokens.has(fencingToken)) breach(`the fencing token ${fencingToken} was granted twice`);
      if (fencingToken <= floor) breach(`the fencing token ${fencingToken} is not above those of before, ${floor}`);
      promises += 1;
      tokens.add(fencingToken);
      if (fencingToken > highest) highest = fencingToken;
      one.answer = { kind: "granted", leaseId, secret, fencingToken };
      const held = asks.filter(({ answer }) => answer.kind === "granted").length;
      if (held > permits) breach(`${held} hold ${permits} permits`);
    },
    givingBack(one) {
      if (one.answer.kind === "granted") one.answer = { ...one.answer, kind: "given-back" };
    },
    create(about) {
      const thing: Thing = { ...about, state: undefined, asked: undefined };
      things.push(thing);
      taken.add(thing);
      return thing;
    },
    take(most) {
      const free = things.filter((thing) => !taken.has(thing)).slice(0, most);
      for (const thing of free) taken.add(thing);
      return free;
    },
    changed(thing) {
      promises += 1;
      thing.state = thing.asked?.state;
      thing.asked = undefined;
    },
    closeTokens() {
      floor = highest;
    },
    settle() {
      asks = [];
      taken.clear();
      things = things.filter(({ state }) => state !== undefined);
      for (const thing of things) thing.asked = undefined;
    },
  };
}
