/** What a worker does in one turn: asks one way or another, works if it is granted, and leaves nothing behind. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../../server/machine/dice.ts";
import { micros } from "./history.ts";
import type { Hold } from "./hold.ts";
import type { AcquireStream, Heard, TryAnswer } from "./way.ts";
import { type Ask, grantedUntil, notGranted, type Wanted, type Worker } from "./worker.ts";

/** ms: longer than any turn. */
const LONG = 30_000;
/** ms: the shortest there is; with a machine under load it runs out now and then while its holder works. */
const SHORT = 100;
const MAX_WAIT = 30;

export async function takeTurn(worker: Worker): Promise<void> {
  const roll = worker.dice.roll(100);
  if (roll < 40) await tryOnce(worker);
  else if (roll < 70) await acquireOnce(worker);
  else if (roll < 80) await acquireBriefly(worker);
  else if (roll < 87) await leaveQueue(worker);
  else if (roll < 92) await tryTwice(worker);
  else if (roll < 97) await acquireTwice(worker);
  else await abandon(worker);
}

async function tryOnce(worker: Worker): Promise<void> {
  const ttl = worker.dice.chance(20) ? SHORT : LONG;
  const ask: Ask = { claims: pickAny(worker.dice), ttl };
  const answer = await worker.tryAcquire(ask);
  const { sent, heard } = answer;
  if (heard === undefined) return worker.note(ask, answer, notGranted());
  const hold = worker.hold(heard, { kind: "detached", since: sent, ttl });
  worker.note(ask, answer, grantedUntil(heard, await workOn(hold)));
  await hold?.release();
}

async function acquireOnce(worker: Worker): Promise<void> {
  const ask: Ask = { claims: pickWithPermits(worker.dice) };
  const stream = worker.acquire(ask);
  const heard = await stream.granted;
  if (heard === undefined) return worker.surprise("an Acquire without a bound has ended");
  await holdOnStream(worker, { ask, stream, heard });
}

/** Waits for no longer than a moment, and does not wait at all now and then. */
async function acquireBriefly(worker: Worker): Promise<void> {
  const maxWait = worker.dice.chance(20) ? 0 : MAX_WAIT;
  const ask: Ask = { claims: pickAny(worker.dice), maxWait };
  const stream = worker.acquire(ask);
  const heard = await stream.granted;
  if (heard !== undefined) return holdOnStream(worker, { ask, stream, heard });
  worker.note(ask, stream, notGranted(Math.min(micros(), stream.sent + maxWait * 1000)));
}

interface Grant {
  readonly ask: Ask;
  readonly stream: AcquireStream;
  readonly heard: Heard;
}

/** Gives it back by Release, or by cancelling the stream. */
async function holdOnStream(worker: Worker, { ask, stream, heard }: Grant): Promise<void> {
  const hold = worker.hold(heard, { kind: "attached" });
  worker.note(ask, stream, grantedUntil(heard, await workOn(hold)));
  if (hold === undefined) return stream.ended;
  if (worker.dice.chance(40)) {
    worker.cancel(stream);
    return;
  }
  await hold.release();
  await stream.ended;
}

/** Cancels as soon as it waits, or a moment later, when it may have been granted. */
async function leaveQueue(worker: Worker): Promise<void> {
  const ask: Ask = { claims: pickWithPermits(worker.dice) };
  const stream = worker.acquire(ask);
  if (worker.dice.chance(80)) await stream.answered;
  if (worker.dice.chance(50)) await sleep(worker.dice.roll(5));
  const at = worker.cancel(stream);
  const heard = await stream.granted;
  // Whether it was granted before the cancel came is unknown.
  worker.note(ask, stream, heard === undefined ? notGranted() : grantedUntil(heard, at));
}

/** As a client that has not heard the answer: asks twice under one id, and once more when all is over. */
async function tryTwice(worker: Worker): Promise<void> {
  const ask: Ask = { claims: pickWithPermits(worker.dice), requestId: worker.newRequestId(), ttl: LONG };
  const answers = await Promise.all([worker.tryAcquire(ask), worker.tryAcquire(ask)]);
  const heard = await heldBy(answers);
  const since = Math.min(...answers.map(({ sent }) => sent));
  const hold = heard && worker.hold(heard, { kind: "detached", since, ttl: LONG });
  const until = await workOn(hold);
  for (const answer of answers) {
    worker.note(ask, answer, answer.heard === undefined ? notGranted() : grantedUntil(answer.heard, until));
  }
  if (hold === undefined) return;
  await hold.release();
  const late = await worker.tryAcquire(ask);
  if (late.heard === undefined) return;
  // It should have heard how its lease has ended.
  worker.note(ask, late, grantedUntil(late.heard, late.heard.at));
  const again = worker.hold(late.heard, { kind: "detached", since: late.sent, ttl: LONG });
  await again?.stop();
  await again?.release();
}

/** Resolves with the grant of the one that has the lease: of two sessions the later has taken it over. */
async function heldBy(answers: readonly TryAnswer[]): Promise<Heard | undefined> {
  const [one, other] = answers.filter(({ heard }) => heard !== undefined);
  if (one?.lost === undefined || other?.lost === undefined) return one?.heard;
  return Promise.race([one.lost.then(() => other.heard), other.lost.then(() => one.heard)]);
}

/** The same with a stream, which the later one takes over, in the queue or with its lease. */
async function acquireTwice(worker: Worker): Promise<void> {
  const ask: Ask = { claims: pickWithPermits(worker.dice), requestId: worker.newRequestId() };
  const first = worker.acquire(ask);
  if (worker.dice.chance(70)) await first.answered;
  const second = worker.acquire(ask);
  // On two connections they may arrive in either order.
  const [displaced, stream] = await Promise.race([
    first.ended.then(() => [first, second] as const),
    second.ended.then(() => [second, first] as const),
  ]);
  const [before, heard] = await Promise.all([displaced.granted, stream.granted]);
  if (heard === undefined) return worker.surprise("an Acquire that was asked again has ended");
  const hold = worker.hold(heard, { kind: "attached" });
  const until = await workOn(hold);
  const waitedUntil = displaced === first ? second.sent : 0;
  worker.note(ask, displaced, before === undefined ? notGranted(waitedUntil) : grantedUntil(before, until));
  worker.note(ask, stream, grantedUntil(heard, until));
  await hold?.release();
  await stream.ended;
}

/** Lets its time run out. */
async function abandon(worker: Worker): Promise<void> {
  const ask: Ask = { claims: [pickRoomy(worker.dice)], ttl: SHORT };
  const way = await worker.apart();
  const answer = await worker.tryAcquire(ask, way);
  const { sent, heard } = answer;
  if (heard === undefined) {
    worker.note(ask, answer, notGranted());
  } else {
    const hold = worker.hold(heard, { kind: "detached", since: sent, ttl: SHORT });
    await hold?.work();
    worker.note(ask, answer, grantedUntil(heard, hold?.abandon() ?? heard.at));
  }
  way.lose();
}

/** Returns until when it was surely held. */
async function workOn(hold: Hold | undefined): Promise<number> {
  await hold?.work();
  return hold === undefined ? micros() : hold.stop();
}

function pickAny(dice: Dice): readonly Wanted[] {
  if (dice.chance(20)) return [{ limiter: "rate", tokens: 1 + dice.roll(3) }];
  if (dice.chance(20)) return [{ limiter: "both" }];
  return pickWithPermits(dice);
}

/** Where no worker waits for tokens: a queue there would have most of the workers in it. */
function pickWithPermits(dice: Dice): readonly Wanted[] {
  const roll = dice.roll(100);
  if (roll < 30) return [{ limiter: "few", slots: dice.chance(80) }];
  if (roll < 75) return [pickRoomy(dice)];
  if (roll < 80) return [{ limiter: "left" }];
  if (roll < 85) return [{ limiter: "right", slots: true }];
  // In either order.
  const pair: readonly Wanted[] = [{ limiter: "left" }, { limiter: "right", slots: true }];
  return dice.chance(50) ? pair : pair.toReversed();
}

function pickRoomy(dice: Dice): Wanted {
  if (dice.chance(50)) return { limiter: "wide", permits: 1 + dice.roll(6), slots: dice.chance(50) };
  return { limiter: "keyed", key: dice.pick(["a", "b", "c", "d"]), slots: dice.chance(50) };
}
