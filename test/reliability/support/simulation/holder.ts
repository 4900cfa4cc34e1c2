/**
 * A well-behaved client: it asks under a request id, works as long as its lease is valid by its own clock, renews, takes its
 * lease up again after a lost connection, and gives it back. Its network loses, delays and doubles; it freezes now and then.
 */

import type { StreamNews } from "../../../../src/server/engine/engine.ts";
import type { Command, Outcome } from "../../../../src/server/machine/command.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import type { SimulatedServer } from "./server.ts";
import type { Timeline } from "./timeline.ts";

export interface World {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly server: SimulatedServer;
  /** Whether anything goes wrong at all. */
  faulty(): boolean;
}

export interface Holder {
  /** Whether it works now, and may. */
  isAtWork(): boolean;
  /** Work that was begun. */
  readonly works: number;
  /** Why it has lost leases that it might still have relied on. */
  readonly forgotten: readonly string[];
  readonly fencingTokens: readonly number[];
}

const MS = 1_000;
export const TTL = 400 * MS;
const VALID = TTL / 2;
const RETRY = 30 * MS;

export function createHolder({ timeline, dice, server, faulty }: World, name: string): Holder {
  const forgotten: string[] = [];
  const fencingTokens: number[] = [];
  let works = 0;
  let serial = 0;
  /** Everything that an earlier round had planned is void. */
  let round = 0;
  let frozenUntil = 0;
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
  function call(command: Command, hear: (outcome: Outcome, sentAt: number) => void, lost: () => void): void {
    const own = round;
    const sentAt = timeline.now;
    let over = false;
    const once = (then: () => void) => {
      // Of an earlier round nothing is heard any more.
      if (over || own !== round) return;
      over = true;
      then();
    };
    const deliver = () => {
      timeline.after(dice.roll(15 * MS), () => {
        if (!server.isUp) return;
        server.submit(command, (outcome) => {
          if (faulty() && dice.chance(5)) return;
          later(dice.roll(15 * MS), () => once(() => hear(outcome, sentAt)));
        });
      });
    };
    if (!(faulty() && dice.chance(5))) deliver();
    if (faulty() && dice.chance(3)) deliver();
    later(60 * MS, () => once(lost));
  }

  /** Opens a stream; what comes over it comes in order, until it breaks. */
  function open(make: (stream: number) => Command, hear: (news: StreamNews | Outcome) => void): void {
    const own = round;
    const incarnation = server.incarnation;
    let broken = false;
    let heard = timeline.now;
    let stream = 0;
    /** Of the waiter or the lease that the server has for this stream. */
    let id = "";
    const breaks = (serverHears: number) => {
      if (broken) return;
      broken = true;
      timeline.after(serverHears, () => {
        if (server.incarnation !== incarnation || stream === 0) return;
        server.submit({ kind: "leave", id, stream, how: "lost" }, () => {});
        server.closeStream(stream);
      });
      if (own === round) later(dice.roll(40 * MS), () => again());
    };
    const pass = (news: StreamNews | Outcome) => {
      if (news.kind === "granted") id = news.lease.id;
      if (news.kind === "waiting") id = news.waiterId;
      heard = Math.max(heard, timeline.now + dice.roll(10 * MS));
      timeline.after(heard - timeline.now, () => {
        if (!broken && own === round) later(0, () => hear(news));
      });
    };
    timeline.after(dice.roll(10 * MS), () => {
      if (!server.isUp) {
        breaks(0);
        return;
      }
      stream = server.openStream(pass);
      server.submit(make(stream), pass);
    });
    const watch = () => {
      if (broken) return;
      if (own !== round) breaks(0);
      else if (server.incarnation !== incarnation || !server.isUp) breaks(0);
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
    const requestId = `${name}-${serial}`.padEnd(16, ".");
    const attempt = () => {
      const id = `${name}:${serial}:${timeline.now}`;
      again = () => later(RETRY, attempt);
      open(
        (stream) => ({
          kind: "acquire",
          id,
          claims: [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: true }],
          holder: name,
          maxWait: undefined,
          ttl: TTL,
          requestId,
          stream,
          probed: true,
        }),
        hear,
      );
    };
    attempt();
  }

  function hear(news: StreamNews | Outcome): void {
    switch (news.kind) {
      case "granted": {
        if (leaseId !== "") return;
        leaseId = news.lease.id;
        fencingTokens.push(news.lease.claims[0]?.fencingToken ?? 0);
        again = () => later(RETRY, resume);
        confirm();
        return;
      }
      case "ended":
      case "displaced":
      case "refused":
        lose(news.kind === "ended" ? news.end : news.reason);
        return;
    }
  }

  function resume(): void {
    const own = leaseId;
    open((stream) => ({ kind: "resume", leaseId: own, stream, probed: true }), hear);
  }

  /** It begins to work when a renewal was confirmed, since the grant may be old when it is heard. */
  function confirm(): void {
    call(
      { kind: "renew", leaseId },
      (outcome, sentAt) => {
        if (outcome.kind !== "renewed") {
          lose(outcome.kind === "ended" ? outcome.end : outcome.kind);
          return;
        }
        validUntil = Math.max(validUntil, sentAt + VALID);
        if (!working) {
          working = true;
          works += 1;
          doneAt = timeline.now + dice.roll(dice.chance(10) ? 2 * TTL : 60 * MS);
          look();
        }
        later(VALID / 4, confirm);
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
    call({ kind: "release", leaseId, workOutcome: "success" }, begin, () => later(RETRY, release));
  }

  /** `why`: what the server said. A lease that is still valid must not be gone. */
  function lose(why: string): void {
    if (working && timeline.now < validUntil && why !== "LEASE_DISPLACED") forgotten.push(`${leaseId}: ${why}`);
    begin();
  }

  begin();
  return {
    isAtWork: () => working && timeline.now < validUntil,
    get works() {
      return works;
    },
    forgotten,
    fencingTokens,
  };
}
