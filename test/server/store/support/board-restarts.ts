/** The boards' machine through random commands and crashes, as the limiters' is in `limiter-restarts.ts`. */

import { expect } from "vitest";
import type { BoardCommand, BoardOutcomeOf } from "../../../../src/server/machine/board/command.ts";
import { assertBoards } from "../../../../src/server/machine/board/invariants.ts";
import {
  type BoardMachine,
  type BoardState,
  createBoardMachine,
} from "../../../../src/server/machine/board/machine.ts";
import type { Board, Card, Work } from "../../../../src/server/machine/board/model.ts";
import { expiresAt, sessionIdOf } from "../../../../src/server/machine/liveness.ts";
import { drain } from "../../machine/board/drain.ts";
import { createFakeLimiter, type FakeLimiter } from "../../machine/board/fake-limiter.ts";
import type { BoardModel } from "../../machine/board/model.ts";
import { createRandomCommands, type RandomCommandsOptions } from "../../machine/board/random-commands.ts";
import { MINUTE, SECOND } from "../../machine/builders.ts";
import { createDice, type Dice } from "../../machine/dice.ts";
import { createKeptRows } from "./kept-rows.ts";

const BLOCK = 60 * MINUTE;
const STARTUP = 50_000;

export interface BoardRestartOptions {
  readonly script: readonly number[];
  readonly mix: RandomCommandsOptions["mix"];
  readonly damaged: boolean;
  readonly seen: Map<string, number>;
}

interface Run {
  readonly machine: BoardMachine;
  readonly epoch: number;
  readonly floor: number;
  readonly base: number;
  readonly limiter: FakeLimiter;
}

export function playBoardsWithRestarts({ script, mix, damaged, seen }: BoardRestartOptions): void {
  const rows = createKeptRows();
  const tokens = new Map<string, number>();
  let time = 0;
  let wall = 1e15;
  let wakeAt = Number.POSITIVE_INFINITY;
  let run = start(0);
  const model = modelOf(() => run.machine.state);
  // Commands are aimed at the limiter of the moment.
  const limiter: FakeLimiter = {
    get asked() {
      return run.limiter.asked;
    },
    get held() {
      return run.limiter.held;
    },
    get late() {
      return run.limiter.late;
    },
    grant: (id) => run.limiter.grant(id),
    refuse: (id) => run.limiter.refuse(id),
    lose: (id) => run.limiter.lose(id),
    carryOut: (effects) => run.limiter.carryOut(effects),
    compareWith: (state) => run.limiter.compareWith(state),
  };
  const commands = createRandomCommands({ model, limiter, mix, limitedEnds: false });
  const note = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);

  function start(reserved: number): Run {
    const epoch = wall - STARTUP;
    const machine = createBoardMachine({ rememberFor: 1e15, epoch, numbersFloor: reserved });
    return { machine, epoch, floor: Math.max(epoch, reserved), base: time - STARTUP, limiter: createFakeLimiter() };
  }

  function step<C extends BoardCommand>(command: C): BoardOutcomeOf<C> {
    const { machine, base, epoch } = run;
    const taken = machine.step(command, time - base);
    wakeAt = taken.wakeAt;
    rows.keep(taken.changes, { epoch, ranBefore: 0 });
    run.limiter.carryOut(taken.claims);
    run.limiter.compareWith(machine.state);
    check(machine.state);
    for (const [name, board] of machine.state.boards) {
      if (board.fencingToken < (tokens.get(name) ?? -1)) throw new Error(`the tokens of ${name} go back`);
      tokens.set(name, board.fencingToken);
    }
    return taken.outcome;
  }

  function check(state: BoardState): void {
    try {
      assertBoards(state);
    } catch (error) {
      // By an old record of a board its limits may be lower than they were.
      if (!damaged || !/its limit holds/.test((error as Error).message)) throw error;
    }
  }

  function restart(dice: Dice): void {
    const before = run;
    time += dice.pick([0, 1, 20_000, SECOND, 30 * SECOND, 10 * MINUTE]);
    wall = before.epoch + (time - before.base) + dice.pick([0, 0, 0, 0, -SECOND, -10 * MINUTE, MINUTE]);
    run = start(before.floor + (time - before.base) + BLOCK);
    const { machine, epoch, base } = run;
    const found = damaged ? rows.findDamaged(epoch, time - base, dice.roll) : rows.find(epoch);
    const restored = machine.restore(found.boards, time - base);
    for (const { id } of restored.claimed) run.limiter.grant(id);
    if (!damaged) compareRuns(before, run, note);
    rows.keep(restored.changes, { epoch, ranBefore: 0 });
    step({ kind: "wake" });
    if (damaged) return;
    const { boards } = machine.state;
    expect(rows.names("board").sort()).toEqual([...boards.keys()].sort());
    const cards = [...boards.values()].flatMap(({ config, cards }) => [...cards.keys()].map((id) => [config.name, id]));
    expect(rows.names("card").sort()).toEqual(cards.map((each) => JSON.stringify(each)).sort());
    const configs = [...boards.values()].flatMap(({ declaration }) => (declaration === undefined ? [] : [declaration]));
    const declared = step({ kind: "declare-boards", configs });
    expect(declared).toEqual({
      kind: "boards-declared",
      created: [],
      changed: [],
      deleted: [],
      refused: [],
      refusals: [],
    });
  }

  for (const seed of script) {
    const dice = createDice(seed ^ 0x5bd1e995);
    if (dice.chance(6)) restart(dice);
    const { command, wait } = commands.next(seed, wakeAt + run.base);
    time += wait;
    step(command);
  }
  restart(createDice(script[0] ?? 0));
  drain({ state: run.machine.state, step, limiter: run.limiter });
}

function compareRuns(before: Run, after: Run, note: (what: string) => void): void {
  const [old, now] = [before.machine.state, after.machine.state];
  const shift = before.epoch - after.epoch;
  const expectInstant = (at: number | undefined, was: number | undefined) => {
    expect(at === undefined).toBe(was === undefined);
    if (at === undefined || was === undefined) return;
    expect(at).toBeGreaterThanOrEqual(Math.min(was + shift, now.now));
    expect(at).toBeLessThanOrEqual(now.now);
  };
  expect([...now.boards.keys()].sort()).toEqual([...old.boards.keys()].sort());
  for (const [name, board] of old.boards) {
    const again = now.boards.get(name) as Board;
    const { config, declaration, revision } = board;
    expect([again.config, again.declaration, again.revision]).toStrictEqual([config, declaration, revision]);
    expectInstant(again.createdAt, board.createdAt);
    expectInstant(again.updatedAt, board.updatedAt);
    expect(again.fencingToken).toBeGreaterThanOrEqual(board.fencingToken);
    for (const [index, stage] of board.stages.entries()) {
      const cards = [...stage.cards.values()];
      const cardsAgain = [...(again.stages[index]?.cards.values() ?? [])];
      const last = index === board.stages.length - 1;
      // Of the completed ones some may have been kept for long enough.
      const forgotten = last && config.keepCompletedFor !== undefined ? cards.length - cardsAgain.length : 0;
      expect(cardsAgain.map(({ id }) => id)).toEqual(cards.slice(forgotten).map(({ id }) => id));
      if (forgotten > 0) note("forgotten");
      for (const [place, card] of cards.slice(forgotten).entries()) {
        const cardAgain = cardsAgain[place] as Card;
        note(card.state);
        for (const at of ["addedAt", "enteredAt", "completedAt"] as const) expectInstant(cardAgain[at], card[at]);
        if (card.work?.ttl === 0) {
          note("work without a ttl");
          expect(["waiting", "blocked"]).toContain(cardAgain.state);
          continue;
        }
        expectInstant(cardAgain.blockedAt, card.blockedAt);
        expect(showCard(cardAgain)).toEqual(showCard(card));
        if (card.work === undefined) continue;
        compareWorks(card.work, cardAgain.work as Work, now.now);
        expectInstant(cardAgain.work?.pulledAt, card.work.pulledAt);
        note(card.work.leaseId !== undefined ? "claimed work" : "work");
        if (sessionIdOf(card.work) !== undefined) note("work in a session");
      }
    }
  }
}

function compareWorks(work: Work, again: Work, now: number): void {
  const { attachment: _, card: __, pulledAt: ___, dueAt: ____, heapIndex: _____, promises: ______, ...rest } = work;
  const { attachment, card: _1, pulledAt: _2, dueAt: _3, heapIndex: _4, promises, ...restAgain } = again;
  expect(restAgain).toEqual(rest);
  expect(attachment.kind).not.toBe("attached");
  // Of the calls from before the restart one may have heard, so it is never undone for another's sake.
  expect(promises).toBe(1);
  expect(sessionIdOf(again)).toBe(sessionIdOf(work));
  expect(expiresAt(again)).toBe(work.ttl === undefined ? undefined : now + work.ttl);
}

function showCard(card: Card) {
  const { id, content, state, serial, lastWork, attempt, reason, result, entry, blockedTime } = card;
  const { pulledAt: _, ...past } = lastWork ?? { pulledAt: 0 };
  return {
    id,
    content,
    state,
    serial,
    past,
    attempt,
    reason,
    result,
    entry,
    blockedTime,
    works: card.work !== undefined,
  };
}

/** What there is to aim at. */
function modelOf(state: () => BoardState): BoardModel {
  const wrapped = new WeakMap<Board, object>();
  const wrap = (board: Board) => {
    const known = wrapped.get(board) ?? {
      get config() {
        return board.config;
      },
      get revision() {
        return board.revision;
      },
      get cards() {
        return [...board.cards.values()];
      },
    };
    wrapped.set(board, known);
    return known;
  };
  const wrapCard = (card: Card) => ({ id: card.id, state: card.state, board: wrap(card.stage.board) });
  const wrapWork = ({ id, attachment }: Work) => {
    const { kind } = attachment;
    return { id, attachment: kind === "in-session" ? { kind, session: attachment.term.session } : attachment };
  };
  return {
    get boards() {
      return new Map(Array.from(state().boards, ([name, board]) => [name, wrap(board)]));
    },
    get cards() {
      return [...state().boards.values()].flatMap((board) => Array.from(board.cards.values(), wrapCard));
    },
    get works() {
      return Array.from(state().works.values(), (work) => ({ work: wrapWork(work), card: wrapCard(work.card) }));
    },
    get pullers() {
      return [...state().pullers.values()];
    },
    get sessions() {
      return [...state().sessions.values()];
    },
  } as unknown as BoardModel;
}
