/** What happens in a trial: which fault, by which way, when it strikes, and how long it lasts. */

import type { Dice } from "../../../server/machine/dice.ts";
import type { Fault } from "./fault-proxy.ts";
import { WAYS, type Way } from "./ways.ts";

/** What the holder is about when the fault strikes: its request or the grant is on its way, or its release. */
const MOMENTS = ["waiting", "granting", "holding", "releasing"] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Plan {
  readonly fault: Fault;
  readonly way: Way;
  readonly moment: Moment;
  /** Whether the lease is one of TryAcquire. */
  readonly detached: boolean;
  /** ms from the moment to the fault. */
  readonly lead: number;
  /** ms; `Infinity`: it does not end. */
  readonly lasts: number;
  /** ms that work takes where nothing else says when it is over. */
  readonly work: number;
}

const FAULTS = {
  drop: (dice) => ({ kind: "drop", direction: dice.pick(["up", "down"]) }),
  delay: (dice) => ({ kind: "delay", ms: dice.roll(dice.chance(50) ? 300 : 5_000) }),
  "1 KB/s": () => ({ kind: "throttle" }),
  "black hole to the server": () => ({ kind: "black hole", direction: "up" }),
  "black hole to the client": () => ({ kind: "black hole", direction: "down" }),
  "black hole both ways": () => ({ kind: "black hole", direction: "both" }),
  reset: () => ({ kind: "reset" }),
  "half-close": (dice) => ({ kind: "half-close", towards: dice.pick(["up", "down"]), hidden: dice.chance(50) }),
} satisfies Readonly<Record<string, (dice: Dice) => Fault>>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** The longest that a fault lasts which ends, in ms. */
export const LONGEST = 2_500;

export function planTrial(name: FaultName, index: number, dice: Dice): Plan {
  const moment = MOMENTS[index % MOMENTS.length] as Moment;
  return {
    fault: FAULTS[name](dice),
    way: WAYS[index % WAYS.length] as Way,
    moment,
    detached: moment !== "waiting" && dice.chance(40),
    lead: dice.roll(moment === "holding" ? 1_200 : 12),
    lasts: dice.chance(40) ? Number.POSITIVE_INFINITY : dice.roll(dice.chance(40) ? BRIEF : LONGEST),
    work: 20 + dice.roll(180),
  };
}

/** ms: a fault of less has passed while there is time for another renewal. */
export const BRIEF = 100;

/** Whether it is over, with all that was on its way, in so little time. */
export function isBrief({ fault, lasts }: Plan): boolean {
  return lasts <= BRIEF && (fault.kind !== "delay" || fault.ms <= BRIEF);
}

/** Whether nothing of what the holder asks is answered from the strike on. */
export function cutsOff({ fault: { kind }, lasts }: Plan): boolean {
  return lasts === Number.POSITIVE_INFINITY && (kind === "drop" || kind === "black hole" || kind === "reset");
}

/** Whether what the holder says is heard, while it may hear nothing: where a ping's answer is late, no other is in time. */
export function isOneWay(fault: Fault): boolean {
  if (fault.kind === "delay" || fault.kind === "throttle") return true;
  return (fault.kind === "drop" || fault.kind === "black hole") && fault.direction === "down";
}

export function describePlan({ fault, way, moment, detached, lead, lasts }: Plan): string {
  const { kind, ...how } = fault;
  const lease = detached ? "a detached lease" : "a stream";
  return `${kind} ${JSON.stringify(how)} for ${lasts} ms, ${lead} ms after ${moment} ${lease} by ${way}`;
}
