/** Commands whose answers are promises, and commands whose answers make no difference. Promises reject with `EngineUnavailable`. */

import type { BoardAnswerTo, BoardAsk, BoardEngine } from "../engine/board-engine.ts";
import type { AnswerTo, Ask, Engine, EngineUnavailable } from "../engine/engine.ts";
import type { AbandonPull, LeavePull } from "../machine/board/command.ts";
import type { Abandon, Leave, TryAcquire } from "../machine/limiter/command.ts";
import type { TraceContext } from "../tracing/trace-context.ts";
import type { UnaryCall } from "./rpc.ts";

export function ask<A extends Ask>(engine: Engine, command: A): Promise<AnswerTo<A>> {
  return new Promise((resolve, reject) => engine.submit(command, resolve, reject));
}

export function askBoards<A extends BoardAsk>(boards: BoardEngine, command: A): Promise<BoardAnswerTo<A>> {
  return new Promise((resolve, reject) => boards.submit(command, resolve, reject));
}

/**
 * Asks, and returns what `toMessage` makes of the answer: a promise only where the engine does not answer at once, and then no
 * more than one, since promises show in the cost of a call. Throws, or rejects with, `EngineUnavailable`, and what `toMessage` throws.
 */
export function askAtOnce<A extends Ask, M>(
  engine: Engine,
  command: A,
  toMessage: (answer: AnswerTo<A>) => M,
  trace?: TraceContext,
): M | Promise<M> {
  let now = undefined as { readonly answer: AnswerTo<A> } | undefined;
  let failure = undefined as EngineUnavailable | undefined;
  let late: PromiseWithResolvers<M> | undefined;
  engine.submit(
    command,
    (answer) => {
      if (late === undefined) now = { answer };
      else settle(late, toMessage, answer);
    },
    (error) => {
      if (late === undefined) failure = error;
      else late.reject(error);
    },
    trace,
  );
  if (now !== undefined) return toMessage(now.answer);
  if (failure !== undefined) throw failure;
  late = Promise.withResolvers();
  return late.promise;
}

/** The same for a call whose caller may leave before the answer is kept: it then takes nothing. */
export function askFor<M>(
  engine: Engine,
  command: TryAcquire,
  call: UnaryCall,
  toMessage: (answer: AnswerTo<TryAcquire>) => M,
): M | Promise<M> {
  let answered = false;
  const settled = (answer: AnswerTo<TryAcquire>) => {
    answered = true;
    return toMessage(answer);
  };
  const message = askAtOnce(engine, command, settled, call.span?.context);
  if (message instanceof Promise) {
    call.onGone(() => {
      if (answered) return;
      const { id, requestId, caller } = command;
      giveBack(engine, { kind: "abandon", id, requestId, caller });
    });
  }
  return message;
}

function settle<A, M>(late: PromiseWithResolvers<M>, toMessage: (answer: A) => M, answer: A): void {
  try {
    late.resolve(toMessage(answer));
  } catch (error) {
    late.reject(error);
  }
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
