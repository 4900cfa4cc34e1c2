/**
 * A well-behaved client: it asks under a request id, works as long as its lease is valid by its own clock, renews, takes its
 * lease up again after a lost connection, and gives it back; now and then it only tries, waits for a while at most, or loses
 * interest. Its network loses, delays, doubles and reorders; it freezes now and then.
 */

import type { AnswerTo, Ask, StreamNews } from "../../../../src/server/engine/engine.ts";
import type { Claim } from "../../../../src/server/machine/limiter/claim.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import type { Ledger } from "./ledger.ts";
import type { SimulatedServer } from "./server.ts";
import type { Timeline } from "./timeline.ts";

export interface World {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly server: SimulatedServer;
  readonly ledger: Ledger;
  readonly limiters: readonly LimiterConfig[];
  /** Whether anything goes wrong at all. */
  faulty(): boolean;
}

export interface Holder {
  /** What its work takes now, as far as it is at work, and may be. */
  atWork(): readonly Claim[];
  /** Work that was begun. */
  readonly works: number;
}

const MS = 1_000;
export const TTL = 400 * MS;
const VALID = TTL / 2;
const RETRY = 30 * MS;
const IDLE: readonly Claim[] = [];

export function createHolder({ timeline, dice, server, ledger, limiters, faulty }: World, name: string): Holder {
  let works = 0;
  let serial = 0;
  /** Everything that an earlier round had planned is void. */
  let round = 0;
  let frozenUntil = 0;
  let claims: readonly Claim[] = [];
  let leaseId = "";
  let validUntil = 0;
  let working = false;
  let doneAt = 0;

  /** Later, in this round, and not while it is frozen. */
  function later(delay: number, then: () => void): void {
    const own = round;
    timeline.after(delay, function run() {
      if (own !== round) return;
      if (timeline.now < frozenUntil) timeline.after(frozenUntil - timeline.now, run);
      else then();
    });
  }

  /** One message each way; either may be lost, late or, on the way there, doubled. */
  function call(command: Ask, hear: (outcome: AnswerTo<Ask>, sentAt: number) => void, lost: () => void): void {
    const own = round;
    const sentAt = timeline.now;
    let over = false;
    const once = (then: () => void) => {
      // Of an earlier round nothing is heard any more.
      if (over || own !== round) return;
      over = true;
      then();
    };
    const deliver = (delay: number) => {
      timeline.after(dice.roll(delay), () => {
        if (!server.isUp) return;
        server.submit(command, (outcome) => {
          if (faulty() && dice.chance(5)) return;
          later(dice.roll(15 * MS), () => once(() => hear(outcome, sentAt)));
        });
      });
    };
    if (!(faulty() && dice.chance(5))) deliver(15 * MS);
    // The double of a message may come when all that it is about is over.
    if (faulty() && dice.chance(3)) deliver(2 * TTL);
    later(60 * MS, () => once(lost));
  }

  /** Opens a stream; what comes over it comes in order, until it breaks. */
  function open(
    make: (stream: number, keepOnCancel: boolean) => Ask,
    hear: (news: StreamNews | AnswerTo<Ask>) => void,
  ): void {
    const own = round;
    /** The server that the stream came to, which need not be the one that was there when it set out. */
    let incarnation = server.incarnation;
    /** Whether it may be overtaken by the next, and then as often as not is. */
    const late = faulty() && dice.chance(5);
    const patience = dice.chance(late ? 50 : 5) ? timeline.now + dice.roll(TTL) : Number.POSITIVE_INFINITY;
    /** Whether it promises to end by a word: then a proxy may reset it while its holder relies on the lease. */
    const keepOnCancel = dice.chance(50);
    let broken = false;
    let heard = timeline.now;
    let stream = 0;
    /** Of the waiter or the lease that the server has for this stream; empty until it has answered. */
    let id = "";
    /** How the stream has ended, while the server cannot say yet what it was of. */
    let leaves: "cancelled" | "lost" | undefined;
    const end = (how: "cancelled" | "lost", serverHears: number) => {
      broken = true;
      timeline.after(serverHears, () => {
        leaves = how;
        if (id !== "") leave();
      });
    };
    const leave = () => {
      if (server.incarnation !== incarnation || leaves === undefined) return;
      server.submit({ kind: "leave", id, stream, how: leaves }, () => {});
      server.closeStream(stream);
      leaves = undefined;
    };
    const breaks = (serverHears: number) => {
      if (broken) return;
      end(keepOnCancel && dice.chance(50) ? "cancelled" : "lost", serverHears);
      if (own === round) later(dice.roll(40 * MS), () => again());
    };
    const pass = (news: StreamNews | AnswerTo<Ask>) => {
      if (news.kind === "granted") id = news.lease.id;
      if (news.kind === "waiting") id = news.waiterId;
      leave();
      heard = Math.max(heard, timeline.now + dice.roll(10 * MS));
      timeline.after(heard - timeline.now, () => {
        if (!broken && own === round) later(0, () => hear(news));
      });
    };
    timeline.after(dice.roll(late ? TTL : 10 * MS), () => {
      if (!server.isUp) {
        breaks(0);
        return;
      }
      incarnation = server.incarnation;
      stream = server.openStream(pass);
      server.submit(make(stream, keepOnCancel), pass);
    });
    const watch = () => {
      if (broken) return;
      if (own !== round) breaks(0);
      else if (timeline.now > patience && leaseId === "" && server.isUp) {
        end("cancelled", dice.roll(15 * MS));
        if (dice.chance(50)) begin();
        else again();
      } else if (server.incarnation !== incarnation || !server.isUp) breaks(0);
      else if (faulty() && dice.chance(2)) breaks(dice.roll(100 * MS));
      else timeline.after(20 * MS, watch);
    };
    timeline.after(20 * MS, watch);
  }

  let again: () => void = () => {};

  function begin(): void {
    round += 1;
    working = false;
    validUntil = 0;
    leaseId = "";
    later(dice.roll(30 * MS), ask);
  }

  function ask(): void {
    serial += 1;
    claims = wanted();
    if (dice.chance(15)) tryOnce();
    else queue();
  }

  /** One limiter, or several at once. */
  function wanted(): readonly Claim[] {
    const of = dice.chance(25) ? limiters : [dice.pick(limiters)];
    return of.map(({ name: limiter, rate }) => {
      const permits = dice.chance(15) ? 2 : 1;
      return { limiter, key: "", permits, tokens: rate === undefined ? 0 : 1, slots: true };
    });
  }

  function tryOnce(): void {
    const requestId = requestIdOf(serial);
    const attempt = () => {
      const id = `${name}:${serial}:${timeline.now}`;
      call(
        { kind: "try-acquire", id, claims, holder: name, ttl: TTL, requestId, session: undefined },
        (outcome, sentAt) => {
          if (outcome.kind !== "granted") begin();
          else hold(outcome.lease.id, sentAt);
        },
        () => later(RETRY, attempt),
      );
    };
    attempt();
  }

  function queue(): void {
    const requestId = requestIdOf(serial);
    const maxWait = dice.chance(10) ? dice.roll(TTL) : undefined;
    const attempt = () => {
      const id = `${name}:${serial}:${timeline.now}`;
      again = () => later(RETRY, attempt);
      open(
        (stream, keepOnCancel) => ({
          kind: "acquire",
          id,
          claims,
          holder: name,
          maxWait,
          ttl: TTL,
          requestId,
          stream,
          monitored: true,
          keepOnCancel,
          session: undefined,
        }),
        hear,
      );
    };
    attempt();
  }

  const requestIdOf = (number: number) => `${name}-${number}`.padEnd(16, ".");

  function hear(news: StreamNews | AnswerTo<Ask>): void {
    switch (news.kind) {
      case "granted":
        if (leaseId !== "") return;
        again = () => later(RETRY, resume);
        hold(news.lease.id, undefined);
        return;
      case "ended":
      case "displaced":
      case "refused":
        lose(news.kind === "ended" ? news.end : news.reason);
        return;
    }
  }

  /** `sentAt`: when it asked for what it was granted at once; undefined: the grant may be old when it is heard. */
  function hold(id: string, sentAt: number | undefined): void {
    leaseId = id;
    if (sentAt === undefined || work(sentAt)) confirm();
  }

  /** Whether there is anything left to do: some work takes no time, and its lease is being released then. */
  function work(sentAt: number): boolean {
    validUntil = Math.max(validUntil, sentAt + VALID);
    if (working) return true;
    working = true;
    works += 1;
    doneAt = timeline.now + dice.roll(dice.chance(10) ? 2 * TTL : 60 * MS);
    look();
    return working;
  }

  function resume(): void {
    const own = leaseId;
    open((stream) => ({ kind: "resume", leaseId: own, stream, monitored: true, keepOnCancel: false }), hear);
  }

  /** A renewal that is confirmed makes the lease valid from when it was sent. */
  function confirm(): void {
    call(
      { kind: "renew", leaseId },
      (outcome, sentAt) => {
        if (outcome.kind !== "renewed") {
          lose(outcome.kind === "ended" ? outcome.end : outcome.kind);
          return;
        }
        if (work(sentAt)) later(VALID / 4, confirm);
      },
      () => later(RETRY, confirm),
    );
  }

  function look(): void {
    if (timeline.now >= validUntil) {
      // It stops in time, and asks anew.
      begin();
      return;
    }
    if (timeline.now >= doneAt) {
      working = false;
      round += 1;
      release();
      return;
    }
    if (faulty() && dice.chance(1)) frozenUntil = timeline.now + dice.roll(2 * TTL);
    later(5 * MS, look);
  }

  function release(): void {
    call({ kind: "release", leaseId, workOutcome: "success", session: undefined }, begin, () => later(RETRY, release));
  }

  /** `why`: what the server said. A lease that is still valid must not be gone. */
  function lose(why: string): void {
    if (working && timeline.now < validUntil && why !== "LEASE_DISPLACED")
      ledger.violate(`a valid lease was gone: ${leaseId}: ${why}`);
    begin();
  }

  begin();
  return {
    atWork: () => (working && timeline.now < validUntil ? claims : IDLE),
    get works() {
      return works;
    },
  };
}
