/** Random commands against a few small limiters, aimed at what there is: one number makes one command. */

import { ANONYMOUS_CALLER } from "../../../../src/server/machine/callers.ts";
import type { Claim } from "../../../../src/server/machine/limiter/claim.ts";
import type { Acquire, Command, Renew, Resume, TryAcquire } from "../../../../src/server/machine/limiter/command.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import { limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { claimOn, MILLISECOND, MINUTE, SECOND } from "../builders.ts";
import { createDice, type Dice } from "../dice.ts";
import { createRandomSessions } from "../random-sessions.ts";
import type { Model } from "./model.ts";

const PLAIN = ["rate", "permits", "both", "short"];
const KEYED = ["keyed", "keyed-permits"];
/** Declared now with keys, now without. */
const TURNED = "turned";
const NAMES = [...PLAIN, ...KEYED, TURNED];
const KEYS = ["x", "y", "z"];
export const CALLERS = [ANONYMOUS_CALLER, "token:ci", "k8s:app"];
/** As a command names it: most do not. */
const NAMED = [undefined, undefined, undefined, ...CALLERS];
/** What a command brings of its own. */
const BOUNDS = { maxWaiters: 2, maxLeases: 4 };

export interface RandomCommands {
  /** The command that a number stands for, and how many µs after the last it comes; `wakeAt` as the machine said it. */
  next(seed: number, wakeAt: number): { readonly command: Command; readonly wait: number };
}

type Sort =
  | "ask"
  | "release"
  | "withdraw"
  | "abandon"
  | "leave"
  | "renew"
  | "resume"
  | "revoke"
  | "cancel"
  | "change"
  | "declare"
  | "session"
  | "wake";

/** Of a thousand commands, how many are of each sort; the rest are wakes. */
type Mix = readonly (readonly [Sort, number])[];

/** Most of what is asked is granted, and all that can be done is done. */
const QUIET: Mix = [
  ["ask", 450],
  ["release", 85],
  ["withdraw", 15],
  ["abandon", 15],
  ["leave", 130],
  ["renew", 30],
  ["resume", 30],
  ["revoke", 20],
  ["cancel", 10],
  ["change", 50],
  ["declare", 3],
  ["session", 70],
];

/** Queues are long, and move seldom. */
const CROWDED: Mix = [
  ["ask", 600],
  ["release", 60],
  ["withdraw", 10],
  ["abandon", 10],
  ["leave", 80],
  ["renew", 10],
  ["resume", 10],
  ["revoke", 10],
  ["cancel", 10],
  ["change", 20],
  ["declare", 1],
  ["session", 40],
];

export interface RandomCommandsOptions {
  /** Says what there is to aim at. */
  readonly model: Model;
  readonly crowded: boolean;
}

export function createRandomCommands({ model, crowded }: RandomCommandsOptions): RandomCommands {
  let now = 0;
  let serial = 0;
  const asked: (Acquire | TryAcquire)[] = [];
  const gone: string[] = ["unknown"];
  const sessions = createRandomSessions({
    sessions: () => model.sessions,
    next: () => ++serial,
    callers: NAMED,
    most: 4,
    callerFor,
  });

  function isKeyed(name: string): boolean {
    return model.limiters.get(name)?.config.keyed ?? KEYED.includes(name);
  }

  function ask(dice: Dice): Acquire | TryAcquire {
    serial += 1;
    const id = `${serial}`;
    const stream = serial;
    const retried = dice.chance(20) && asked.length > 0 ? dice.pick(asked.slice(-12)) : undefined;
    const fresh = dice.chance(40) ? `request-${serial}` : "";
    const requestId = retried?.requestId ?? fresh;
    const claims = retried && dice.chance(85) ? retried.claims : claimsOf(dice, isKeyed);
    const kind = retried && dice.chance(90) ? retried.kind : dice.chance(70) ? "acquire" : "try-acquire";
    const ttl = dice.pick([undefined, undefined, 100 * MILLISECOND, SECOND, 20 * SECOND]);
    const session = dice.chance(40) ? sessions.ref(dice) : undefined;
    const known = sessions.find(session)?.caller ?? retried?.caller;
    const by = { caller: callerFor(known, dice), bounds: dice.chance(15) ? BOUNDS : undefined };
    const command: Acquire | TryAcquire =
      kind === "try-acquire"
        ? { kind, id, claims, holder: `holder ${id}`, ttl, requestId, session, ...by }
        : {
            kind,
            id,
            claims,
            holder: `holder ${id}`,
            maxWait: dice.pick([undefined, undefined, undefined, undefined, undefined, 0, 1, 5 * MILLISECOND, SECOND]),
            ttl: dice.chance(8) ? 0 : ttl,
            requestId,
            stream: session?.stream ?? stream,
            monitored: sessions.find(session)?.monitored ?? dice.chance(85),
            keepOnCancel: dice.chance(40),
            session,
            ...by,
          };
    if (requestId !== "") asked.push(command);
    gone.push(id);
    return command;
  }

  /** Most often the caller whose it is, sometimes another. */
  function callerFor(known: string | undefined, dice: Dice): string | undefined {
    return known !== undefined && dice.chance(92) ? known : dice.pick(NAMED);
  }

  function callerOfLease(id: string, dice: Dice): string | undefined {
    const lease = model.leases.find((each) => each.id === id);
    return callerFor(lease?.caller ?? model.ends.get(id)?.caller, dice);
  }

  /** Most often one that lives, sometimes any that ever was. */
  function leaseId(dice: Dice): string {
    return model.leases.length > 0 && dice.chance(90) ? dice.pick(model.leases).id : dice.pick(gone);
  }

  function release(dice: Dice): Command {
    const session = dice.chance(30) ? sessions.ref(dice) : undefined;
    const own = model.sessions.flatMap((each) => (each.id === session?.id ? model.heldIn(each) : []));
    const id = own.length > 0 && dice.chance(80) ? dice.pick(own).id : leaseId(dice);
    const caller = callerFor(sessions.find(session)?.caller, dice) ?? callerOfLease(id, dice);
    return { kind: "release", leaseId: id, workOutcome: "success", session, caller };
  }

  function ofLease(dice: Dice, toCommand: (id: string) => Renew | Resume): Command {
    const id = leaseId(dice);
    return { ...toCommand(id), caller: callerOfLease(id, dice) };
  }

  function leave(dice: Dice): Command {
    const attached = model.leases.flatMap(({ id, attachment }) =>
      attachment.kind === "attached" ? [{ id, stream: attachment.stream }] : [],
    );
    const present = model.waiters.flatMap(({ id, stream }) => (stream === undefined ? [] : [{ id, stream }]));
    const all = [...present, ...attached];
    const { id, stream } = all.length === 0 ? { id: dice.pick(gone), stream: 0 } : dice.pick(all);
    const how = dice.pick(["cancelled", "lost", "lost"] as const);
    // A stream that was displaced may end late, and must not take what is no longer its own.
    return { kind: "leave", id, stream: dice.chance(95) ? stream : stream - 1, how };
  }

  function change(dice: Dice): Command {
    const name = dice.pick(NAMES);
    const limiter = model.limiters.get(name);
    const revision = dice.chance(80) ? undefined : (limiter?.revision ?? 1) - dice.roll(2);
    if (limiter === undefined || dice.chance(5)) return { kind: "create-limiter", config: configOf(dice, name) };
    if (dice.chance(8)) return { kind: "delete-limiter", name, revision, force: dice.chance(30) };
    const changed = configOf(dice, name);
    // What an unused key of a keyed limiter has in its bucket depends on whether it has been forgotten yet.
    const { keyed } = limiter.config;
    const config = { ...changed, keyed, rate: keyed ? limiter.config.rate : changed.rate };
    const paused = dice.chance(limiter.config.paused ? 20 : 10);
    return { kind: "update-limiter", config: { ...config, paused }, revision };
  }

  /** The whole file, or a part of it: what a part does not name is declared as before. */
  function declare(dice: Dice): Command {
    const names = [...PLAIN, TURNED].filter(() => dice.chance(50));
    const others = NAMES.filter((name) => !names.includes(name));
    const undeclared = dice.chance(60) ? others : others.filter(() => dice.chance(40));
    return { kind: "declare", configs: names.map((name) => configOf(dice, name)), undeclared };
  }

  function commandOf(dice: Dice): Command {
    const missing = NAMES.filter((name) => !model.limiters.has(name));
    if (missing.length > 0 && dice.chance(30)) {
      return { kind: "create-limiter", config: configOf(dice, dice.pick(missing)) };
    }
    switch (sortOf(dice, crowded ? CROWDED : QUIET)) {
      case "ask":
        return ask(dice);
      case "release":
        return release(dice);
      case "withdraw": {
        // Mostly of what was asked, sometimes before it is asked.
        const next = `request-${serial + 1}`;
        const { requestId, caller } =
          asked.length > 0 && dice.chance(85) ? dice.pick(asked.slice(-12)) : { requestId: next };
        return { kind: "withdraw", requestId, workOutcome: "ignored", caller: callerFor(caller, dice) };
      }
      case "abandon": {
        const { requestId, caller } =
          asked.length > 0 && dice.chance(50) ? dice.pick(asked.slice(-12)) : { requestId: "" };
        return { kind: "abandon", id: leaseId(dice), requestId, caller: callerFor(caller, dice) };
      }
      case "leave":
        return leave(dice);
      case "renew":
        return ofLease(dice, (id) => ({ kind: "renew", leaseId: id }));
      case "resume": {
        const attached = { stream: ++serial, monitored: dice.chance(85), keepOnCancel: dice.chance(40) };
        return ofLease(dice, (id) => ({ kind: "resume", leaseId: id, ...attached }));
      }
      case "revoke":
        return { kind: "revoke", leaseId: leaseId(dice), force: dice.chance(30), message: "because" };
      case "cancel": {
        const waiterId = model.waiters.length > 0 ? dice.pick(model.waiters).id : dice.pick(gone);
        return { kind: "cancel-waiter", waiterId };
      }
      case "change":
        return change(dice);
      case "declare":
        return declare(dice);
      case "session":
        return sessions.command(dice);
      case "wake":
        return { kind: "wake" };
    }
  }

  return {
    next(seed, wakeAt) {
      const dice = createDice(seed);
      const wait = Math.max(0, crowded && dice.chance(70) ? 0 : waitOf(dice, wakeAt - now));
      now += wait;
      return { command: commandOf(dice), wait };
    },
  };
}

function sortOf(dice: Dice, mix: Mix): Sort {
  let left = dice.roll(1_000);
  for (const [sort, share] of mix) {
    if (left < share) return sort;
    left -= share;
  }
  return "wake";
}

/** µs: none, few, exactly until the machine wants to be woken, one before, some after, long. */
function waitOf(dice: Dice, untilWake: number): number {
  const sort = dice.roll(1_000);
  if (sort < 550) return 0;
  if (sort < 680) return dice.roll(10);
  if (sort < 780) return dice.roll(2 * MILLISECOND);
  if (sort < 820) return dice.roll(200 * MILLISECOND);
  if (sort < 828) return dice.roll(30 * SECOND);
  if (sort < 830) return dice.roll(20 * MINUTE);
  if (untilWake === Number.POSITIVE_INFINITY) return dice.roll(2 * MILLISECOND);
  if (sort < 950) return untilWake;
  return sort < 970 ? untilWake - 1 : untilWake + dice.roll(5 * MILLISECOND);
}

function claimsOf(dice: Dice, isKeyed: (limiter: string) => boolean): Claim[] {
  const count = dice.chance(75) ? 1 : 2 + dice.roll(2);
  const claims: Claim[] = [];
  while (claims.length < count) {
    const limiter = dice.chance(1) ? "nothing" : dice.pick(NAMES);
    const keyed = isKeyed(limiter) !== dice.chance(1);
    const key = keyed ? dice.pick(KEYS) : "";
    if (claims.some((other) => other.limiter === limiter && other.key === key)) continue;
    const permits = dice.pick([1, 1, 1, 1, 1, 1, 2, 3, 0]);
    const tokens = permits === 0 ? 1 : dice.pick([1, 1, 1, 1, 1, 1, 2, 4, 0]);
    claims.push(claimOn(limiter, { key, permits, tokens, slots: dice.chance(30) }));
  }
  return claims;
}

function configOf(dice: Dice, name: string): LimiterConfig {
  const rated = name === "both" || name === "short" ? dice.chance(70) : name === "rate" || name === "keyed";
  const limited = name !== "rate" && (!rated || dice.chance(70));
  const rate = rateOf(dice.pick([0.5, 7, 7, 333.333, 1_000, 1_000_000]), dice.pick([1, 2, 4, 4, 10]));
  // With one rate for good, since a keyed limiter's does not change here.
  if (name === TURNED)
    return limiterOf({ name, rate: rateOf(7, 4), maxConcurrent: 2, keyed: dice.chance(50), maxKeys: 2 });
  return limiterOf({
    name,
    rate: rated ? rate : undefined,
    maxConcurrent: limited ? dice.pick([1, 2, 3, 3, 5]) : undefined,
    keyed: KEYED.includes(name),
    maxKeys: 2,
    maxWaiters: dice.pick([1, 2, 4, 20, 20, 20, 20, 20, 20]),
    maxWait: dice.pick([undefined, undefined, undefined, undefined, 0, 20 * MILLISECOND, 20 * SECOND]),
    refuseLongWaits: !limited && dice.chance(20),
    ttl: name === "short" ? 0 : dice.pick([100 * MILLISECOND, SECOND]),
    maxTtl: dice.pick([SECOND, MINUTE]),
    trustCancel: dice.chance(80),
  });
}
