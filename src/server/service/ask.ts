/** Commands whose answers are promises, and commands whose answers make no difference. Promises reject with `EngineUnavailable`. */

import type { BoardAnswerTo, BoardAsk, BoardEngine } from "../engine/board-engine.ts";
import type { AnswerTo, Ask, Engine } from "../engine/engine.ts";
import type { AbandonPull, LeavePull } from "../machine/board/command.ts";
import type { Abandon, Leave, TryAcquire } from "../machine/limiter/command.ts";
import type { UnaryCall } from "./rpc.ts";

export function ask<A extends Ask>(engine: Engine, command: A): Promise<AnswerTo<A>> {
  return new Promise((resolve, reject) => engine.submit(command, resolve, reject));
}

export function askBoards<A extends BoardAsk>(boards: BoardEngine, command: A): Promise<BoardAnswerTo<A>> {
  return new Promise((resolve, reject) => boards.submit(command, resolve, reject));
}

/** Asks for a call whose caller may leave before the answer is kept: it then takes nothing. */
export function askFor(engine: Engine, command: TryAcquire, call: UnaryCall): Promise<AnswerTo<TryAcquire>> {
  return new Promise((resolve, reject) => {
    let answered = false;
    engine.submit(
      command,
      (answer) => {
        answered = true;
        resolve(answer);
      },
      reject,
    );
    if (answered) return;
    call.onGone(() => {
      if (!answered) giveBack(engine, { kind: "abandon", id: command.id, requestId: command.requestId });
    });
  });
}

/** Gives back what a stream or a call has. An engine that is out of reach takes it for lost: it has its ttl. */
export function giveBack(engine: Engine, command: Leave | Abandon): void {
  engine.submit(command, IGNORE, IGNORE);
}

/** The same of a pull. */
export function giveBackPull(boards: BoardEngine, command: LeavePull | AbandonPull): void {
  boards.submit(command, IGNORE, IGNORE);
}

const IGNORE = () => {};
