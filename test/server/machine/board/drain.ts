/**
 * Whether a board can always be worked off: random commands bring it into some state, and from there workers pull into
 * every stage whatever there is and finish it. That must end, with every card completed.
 */

import type { BoardCommand, BoardOutcomeOf } from "../../../../src/server/machine/board/command.ts";
import { type BoardState, createBoardMachine } from "../../../../src/server/machine/board/machine.ts";
import type { Card } from "../../../../src/server/machine/board/model.ts";
import { HOUR } from "./boards.ts";
import { createFakeLimiter, type FakeLimiter } from "./fake-limiter.ts";
import { BoardModel } from "./model.ts";
import { createRandomCommands } from "./random-commands.ts";

export interface Drainable {
  readonly state: BoardState;
  /** Carries a command out at the instant that was reached. */
  readonly step: <C extends BoardCommand>(command: C) => BoardOutcomeOf<C>;
  readonly limiter: FakeLimiter;
}

/** The state to which a script of random commands leads. No last stage has a limit: only deleting could drain that. */
export function reach(script: readonly number[]): Drainable {
  const machine = createBoardMachine({ rememberFor: Number.MAX_SAFE_INTEGER });
  const model = new BoardModel();
  const limiter = createFakeLimiter();
  const commands = createRandomCommands({
    model,
    limiter,
    mix: "crowded",
    limitedEnds: false,
  });
  let now = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const seed of script) {
    const { command, wait } = commands.next(seed, wakeAt);
    now += wait;
    const step = machine.step(command, now);
    ({ wakeAt } = step);
    limiter.carryOut(step.claims);
    model.step(command, now);
    model.learnTokens((id) => machine.state.works.get(id)?.token ?? 0);
  }
  return {
    state: machine.state,
    step(command) {
      const { outcome, claims } = machine.step(command, now);
      limiter.carryOut(claims);
      return outcome;
    },
    limiter,
  };
}

/** Works all boards off, and throws where no worker can go on. */
export function drain({ state, step, limiter }: Drainable): void {
  let serial = 0;
  let progress = 0;

  const cards = () => [...state.boards.values()].flatMap((board) => [...board.cards.values()]);
  const open = () => cards().filter((card) => card.state !== "completed");
  const at = (card: Card) => ({ board: card.stage.board.config.name, cardId: card.id });

  function answerClaims(): void {
    for (const id of [...limiter.asked]) {
      progress += 1;
      step(limiter.grant(id));
    }
  }

  function finishAll(): void {
    for (const card of open()) {
      const { work } = card;
      if (work === undefined) continue;
      progress += 1;
      const { token, caller } = work;
      step({ kind: "finish", ...at(card), token, words: "", failed: false, session: undefined, caller });
    }
  }

  /** Pulls for each stage into which a card can be pulled. */
  function pullEverywhere(): void {
    for (const board of state.boards.values()) {
      for (const stage of board.stages.slice(1).reverse()) {
        serial += 1;
        const outcome = step({
          kind: "pull",
          id: `drain-${serial}`,
          board: board.config.name,
          stage: stage.config.name,
          worker: "drain",
          maxWait: 0,
          ttl: HOUR,
          requestId: "",
          stream: -serial,
          monitored: true,
          keepOnCancel: false,
          detached: false,
          cardId: undefined,
          session: undefined,
        });
        if (outcome.kind === "pulled" || outcome.kind === "pull-waiting") progress += 1;
      }
    }
  }

  // Blocked cards wait for a person: one unblocks them all.
  for (const card of open()) if (card.state === "blocked") step({ kind: "unblock", ...at(card) });
  // From anywhere to the end a card takes fewer steps than this, and those that wait already take one each.
  const bound = (open().length + state.pullers.size) * 40 + 40;
  while (open().length > 0) {
    const before = progress;
    answerClaims();
    finishAll();
    pullEverywhere();
    if (progress === before) throw new Error(`no worker can go on: ${describe(open())}`);
    if (progress > bound) throw new Error(`it does not end: ${describe(open())}`);
  }
}

function describe(cards: readonly Card[]): string {
  return cards.map(({ id, state, stage }) => `${id} is ${state} in ${stage.config.name}`).join(", ");
}
