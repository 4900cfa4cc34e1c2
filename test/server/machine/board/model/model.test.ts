/**
 * The board machine against the model, by random commands in virtual time, with limiters that answer later, refuse, and
 * lose what they gave. Every outcome and event must be the model's, and after every step the state, too, and all
 * invariants; no step may do what the audit forbids; watchers that look seldom must end up knowing what there is.
 *
 * A failure prints a seed and a path, and the commands that led to it; put both into `REPLAY` to run it again. More runs:
 * `BOARD_RUNS=100000 vitest run test/server/machine/board/model/model.test.ts`.
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import type {
  BoardCommand,
  BoardEvent,
  BoardNews,
  BoardOutcome,
  BoardSessionResumed,
} from "../../../../../src/server/machine/board/command.ts";
import { assertBoards } from "../../../../../src/server/machine/board/invariants.ts";
import { type BoardState, createBoardMachine } from "../../../../../src/server/machine/board/machine.ts";
import type { Card, Puller, Work } from "../../../../../src/server/machine/board/model.ts";
import { expiresAt } from "../../../../../src/server/machine/liveness.ts";
import { assertReaching } from "../../assert-reaching.ts";
import { showAttachment, showSessions } from "../../model-sessions.ts";
import { createAudit } from "../audit.ts";
import { createFakeLimiter } from "../fake-limiter.ts";
import { BoardModel } from "../model.ts";
import {
  byWork,
  type ModelBoard,
  type ModelCard,
  type ModelEvent,
  type ModelPuller,
  type ModelWork,
  type Said,
} from "../model-words.ts";
import { createRandomCommands, MIXES } from "../random-commands.ts";
import { createWatchers } from "../watchers.ts";

type Mix = keyof typeof MIXES;

const REPLAY: { seed?: number; path?: string } = {};
const RUNS = Number(process.env.BOARD_RUNS ?? 2_000);
const STEPS = 60;
const ALL_MIXES = Object.keys(MIXES) as Mix[];
const CALLER_BOUNDS = { maxWaiters: 3, maxLeases: 6 };
/** The whole state is compared after so many steps, and after the last; what is said, after each. */
const COMPARE_EVERY = 4;

/** What random commands must have come upon, or they would prove little: every "no", every state, every way to pull. */
const EXPECTED = [
  "BOARD_NOT_FOUND CARD_NOT_FOUND STAGE_NOT_FOUND STAGE_NOT_EMPTY BOARD_NOT_EMPTY CARD_STATE FIRST_STAGE BOARD_EXISTS",
  "CARD_EXISTS STAGE_FULL NO_CARD BOARD_FULL STALE_FENCING_TOKEN CARD_DELETED CARD_BLOCKED ETAG_MISMATCH DECLARED",
  "REQUEST_ID_REUSED WAITERS_AHEAD QUEUE_FULL WAIT_TIMEOUT WAITER_DISPLACED LEASE_DISPLACED LEASE_EXPIRED LEASE_ENDED",
  "LEASE_REVOKED CONCURRENCY_EXHAUSTED CALLER_QUOTA",
  "board board-deleted boards-declared card pulled pull-waiting work-renewed work-over displaced done",
  "waiting active blocked finished sent-back completed",
  "SESSION_NOT_FOUND SESSION_DISPLACED session-resumed session-renewed resumed-with-cards",
  "begun-in-session begun-attached begun-detached taken-up-in-session taken-up-attached taken-up-detached",
  "claimed-in-session pulled-by-a-waiter pulled-again pulled-into-a-queue kept-own kept-move exchanged forgotten",
].flatMap((line) => line.split(" "));
const reached = new Set<string>();

it(
  "does what the model does, whatever is asked of it and however late it is woken",
  () => {
    const scripts = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });
    const property = fc.property(fc.constantFrom(...ALL_MIXES), scripts, play);
    assertReaching(property, { numRuns: RUNS, ...REPLAY }, () => EXPECTED.filter((each) => !reached.has(each)));
  },
  20_000 + RUNS * 100,
);

it("says the same in the same order when it is given the same commands at the same instants", () => {
  const scripts = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });
  fc.assert(
    fc.property(scripts, (script) => {
      const log: { now: number; command: BoardCommand }[] = [];
      playLogged("crowded", script, log);
      const [once, again] = [1, 2].map(() => {
        const machine = createBoardMachine({ callerBounds: CALLER_BOUNDS });
        return log.map(({ now, command }) => {
          const { outcome, events, claims, wakeAt } = machine.step(command, now);
          return [say(outcome), events.map(({ to, about, news }) => [to, about, say(news)]), claims, wakeAt];
        });
      });
      expect(once).toEqual(again);
    }),
    { numRuns: 20 },
  );
});

function play(mix: Mix, script: readonly number[]): void {
  const log: { now: number; command: BoardCommand }[] = [];
  try {
    playLogged(mix, script, log);
  } catch (error) {
    const lines = log.map(({ now, command }) => `${now} ${JSON.stringify(command)}`);
    throw new Error(`${(error as Error).message}\n\nafter\n${lines.join("\n")}`, { cause: error });
  }
}

function playLogged(mix: Mix, script: readonly number[], log: { now: number; command: BoardCommand }[]): void {
  const machine = createBoardMachine({ callerBounds: CALLER_BOUNDS, rememberFor: Number.MAX_SAFE_INTEGER });
  const { state } = machine;
  const model = new BoardModel({ callerBounds: CALLER_BOUNDS });
  const limiter = createFakeLimiter();
  const commands = createRandomCommands({
    model,
    limiter,
    mix,
    limitedEnds: true,
  });
  const audit = createAudit(state);
  const watchers = createWatchers(state);
  const tokens = new Map<string, number>();
  let now = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const [index, seed] of script.entries()) {
    // What a failing script can do without, it shrinks to this.
    if (seed === 0) continue;
    const { command, wait } = commands.next(seed, wakeAt);
    now += wait;
    log.push({ now, command });
    const step = machine.step(command, now);
    const expected = model.step(command, now);
    wakeAt = step.wakeAt;
    note(step.outcome, step.events, state);
    compare("outcome", say(step.outcome), expected.outcome);
    compareEvents(step.events, expected.events);
    compareClaims(step.claims, expected.claims);
    if (index % COMPARE_EVERY === 0 || index === script.length - 1) compareBoards(state, model);
    checkTokens(state, tokens);
    if (step.outcome.kind === "session-resumed") checkListed(step.outcome, state);
    model.learnTokens((id) => state.works.get(id)?.token ?? 0);
    limiter.carryOut(step.claims);
    limiter.compareWith(state);
    audit.step(command, step);
    assertBoards(state);
    watchers.look();
    if (wakeAt <= now) throw new Error(`wants to be woken at ${wakeAt}, which is over`);
    checkWake(wakeAt, model.next(), state);
  }
}

/** Exactly when something falls due, but for a deadline that much of a session shares: that may be early. */
function checkWake(wakeAt: number, due: number, { sessions }: BoardState): void {
  if (wakeAt === due) return;
  const terms = [...sessions.values()].flatMap((session) => [...session.terms.values()]);
  if (wakeAt < due && terms.some(({ heapIndex, dueAt }) => heapIndex !== -1 && dueAt === wakeAt)) return;
  throw new Error(`wants to be woken at ${wakeAt}, not at ${due}`);
}

function note(outcome: BoardOutcome, events: readonly BoardEvent[], state: BoardState): void {
  for (const said of [outcome, ...events.map(({ news }) => news)]) {
    reached.add(said.kind);
    if ("reason" in said) reached.add(said.reason);
    if (said.kind === "session-resumed" && said.cards.length > 1) reached.add("resumed-with-cards");
    if (said.kind !== "pulled") continue;
    const { work, resumed } = said;
    if (work !== undefined) {
      const { kind } = work.attachment;
      reached.add(`${resumed ? "taken-up" : "begun"}-${kind}`);
      if (kind === "in-session" && work.leaseId !== undefined) reached.add("claimed-in-session");
    }
    if (said !== outcome) reached.add("pulled-by-a-waiter");
    if (said.resumed) reached.add("pulled-again");
    if (said.work === undefined) reached.add("pulled-into-a-queue");
    const { stage } = said.card;
    const before = stage.board.stages[stage.index - 1];
    const wentUp = [...(before?.cards.values() ?? [])].some((card) => card.lastWork && card.enteredAt === state.now);
    if (said.work && wentUp && stage.cards.size === stage.config.wipLimit) reached.add("exchanged");
  }
  for (const { claiming } of state.pullers.values()) if (claiming) reached.add(`kept-${claiming.kind}`);
  for (const board of state.boards.values()) {
    for (const card of board.cards.values()) reached.add(card.state);
    if (board.completions.total > (board.stages.at(-1)?.cards.size ?? 0)) reached.add("forgotten");
  }
}

/** The order between different streams is left open, and between different subjects; those of one subject come in order. */
function compareEvents(events: readonly BoardEvent[], expected: readonly ModelEvent[]): void {
  if (events.length === 0 && expected.length === 0) return;
  const said = events.map(({ to, about, news }) => ({ to, about, said: say(news) }));
  const bySubject = (a: ModelEvent, b: ModelEvent) => a.to - b.to || a.about.localeCompare(b.about);
  compare("events", said.toSorted(bySubject), expected.toSorted(bySubject));
}

/** So it is with limiters: what is done for one pull is done in order. */
function compareClaims(claims: readonly { readonly kind: string; readonly id: string }[], expected: readonly string[]) {
  const byPull = (a: string, b: string) => Number(a.split(" ")[1]) - Number(b.split(" ")[1]);
  compare("claims", claims.map(({ kind, id }) => `${kind} ${id}`).toSorted(byPull), expected.toSorted(byPull));
}

function compareBoards(state: BoardState, model: BoardModel): void {
  compare("sessions", showSessions(state.sessions.values()), showSessions(model.sessions));
  compare("boards", [...state.boards.keys()].sort(), [...model.boards.keys()].sort());
  for (const [name, board] of state.boards) {
    const expected = model.boards.get(name) as ModelBoard;
    compare(
      `board ${name}`,
      [board.revision, board.declaration !== undefined, board.arrivals.total, board.completions.total],
      [expected.revision, expected.declaration !== undefined, expected.added, expected.completed],
    );
    for (const [index, stage] of board.stages.entries()) {
      const modelStage = expected.stages[index];
      const cards = [...stage.cards.values()].map(showCard);
      compare(
        `cards of ${stage.config.name}`,
        cards,
        model.cardsIn(expected, index).map((card) => showModelCard(model, card)),
      );
      const pullers = Array.from(stage.pullers.all(), (puller) => showPuller(puller, puller.claiming?.card));
      const waiting = model.pullers.filter((puller) => puller.stage === modelStage);
      compare(
        `pullers of ${stage.config.name}`,
        pullers,
        waiting.map((puller) => showPuller(puller, puller.kept?.card)),
      );
    }
  }
}

function showPuller(
  { id, stream, session, detached, keepsOnCancel }: Puller | ModelPuller,
  kept: { readonly id: string } | undefined,
): unknown[] {
  return [id, stream, session?.id, detached, keepsOnCancel, kept?.id];
}

/** A session that is resumed hears under which tokens it works. */
function checkListed({ cards }: BoardSessionResumed, { works }: BoardState): void {
  for (const { workId, token } of cards) compare(`token of work ${workId}`, token, works.get(workId)?.token);
}

function showCard(card: Card): unknown[] {
  const { work, content } = card;
  const held = work && showWork(work, expiresAt(work));
  const times = [card.addedAt, card.enteredAt, card.completedAt, card.blockedAt, card.blockedTime];
  const { id, state, attempt, reason, result } = card;
  return [id, state, attempt, reason, result, content, times, card.reservedFor?.id, held];
}

function showModelCard(model: BoardModel, card: ModelCard): unknown[] {
  const { work, content } = card;
  const held = work && showWork(work, model.endsAt(work));
  const times = [card.addedAt, card.enteredAt, card.completedAt, card.blockedAt, card.blockedTime];
  const { id, state, attempt, reason, result } = card;
  return [id, state, attempt, reason, result, content, times, model.keptFor(card)?.id, held];
}

function showWork(
  { id, caller, worker, ttl, requestId, keepsOnCancel, heard, attachment }: Work | ModelWork,
  endsAt = Number.POSITIVE_INFINITY,
): unknown[] {
  return [id, caller, worker, ttl, requestId, keepsOnCancel, heard, showAttachment(attachment), endsAt];
}

/** Fencing tokens rise with every pull of a board, those of a board of the same name that was before it included. */
function checkTokens(state: BoardState, highest: Map<string, number>): void {
  for (const [name, board] of state.boards) {
    const before = highest.get(name) ?? -1;
    if (board.fencingToken < before) throw new Error(`fencing token ${board.fencingToken} of ${name} does not rise`);
    highest.set(name, board.fencingToken);
  }
}

function say(said: BoardOutcome | BoardNews): Said {
  switch (said.kind) {
    case "board":
      return { kind: "board", name: said.board.config.name, revision: said.board.revision };
    case "card":
      return { kind: "card", card: said.card.id };
    case "pulled":
      return { kind: "pulled", card: said.card.id, work: said.work?.id, resumed: said.resumed };
    case "pull-waiting":
      return { kind: "pull-waiting", puller: said.puller.id };
    case "work-renewed":
      return { kind: "work-renewed", work: said.work.id };
    case "refused":
      return { kind: "refused", reason: said.reason, at: said.at, waitersAhead: said.waitersAhead };
    case "displaced":
      return { kind: "displaced", reason: said.reason };
    case "boards-declared": {
      const { created, changed, deleted, refused } = said;
      return { kind: "boards-declared", created, changed, deleted, refused };
    }
    case "board-deleted":
      return { kind: "board-deleted", cards: said.cards };
    case "session-resumed":
      // Tokens are the machine's own.
      return { kind: "session-resumed", cards: said.cards.map(({ token: _, ...card }) => card).sort(byWork) };
    case "session-renewed":
      return { kind: "session-renewed", validFor: said.validFor };
    case "work-over":
    case "done":
      return { kind: said.kind };
  }
}

function compare(what: string, actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return;
  expect(actual, what).toEqual(expected);
  throw new Error(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}
