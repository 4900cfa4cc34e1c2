/** Running a command for one card after the other, until it is stopped. */

import type { Card } from "../../client/api/card.ts";
import { WorkLostError } from "../../client/api/errors.ts";
import type { Work } from "../../client/api/work.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import type { BoardContext } from "../session/board-context.ts";
import { openClient } from "../session/connection.ts";
import { userAtHost } from "../session/environment.ts";
import { EXIT } from "../session/exit-codes.ts";
import { failureOf } from "../session/failure.ts";
import { ENDING_SIGNALS, hearSignals, PASSED_ON_SIGNALS } from "../session/signals.ts";
import { type CardCommand, type CardJob, startCardCommand } from "./card-command.ts";
import { exitCodeOfEnd } from "./command.ts";
import { CUT } from "./pull-and-run.ts";

export interface LoopPull {
  readonly stage: string;
  readonly job: CardJob;
  /** Undefined: the user. */
  readonly worker: string | undefined;
  /** ms; undefined: the board's. */
  readonly ttl: number | undefined;
  /** Undefined: 1. */
  readonly concurrency: number | undefined;
}

/** Resolves with the exit code, when a signal or a command that cannot be started has ended the loop. */
export async function pullInLoop(context: BoardContext, pull: LoopPull): Promise<number> {
  const { terminal, address, board } = context;
  const { stage, job, worker, ttl, concurrency } = pull;
  const clock = createSystemClock();
  const running = new Set<CardCommand>();
  const stopping = new AbortController();
  let interruptedBy: NodeJS.Signals | undefined;
  let exitCode: number = EXIT.ok;

  /** The first that asks to end stops the pulling; all others reach the commands. */
  using _signals = hearSignals(PASSED_ON_SIGNALS, (signal) => {
    const isFirst = ENDING_SIGNALS.includes(signal) && interruptedBy === undefined;
    if (isFirst) {
      interruptedBy = signal;
      stopping.abort();
      if (running.size > 0) terminal.warn(`backpressure: stopping when the work at hand is done; again to hurry it`);
    } else {
      for (const command of running) command.forward(signal);
    }
  });

  async function workOn(card: Card, lost: AbortSignal, work: Work): Promise<unknown> {
    lost.throwIfAborted();
    const command = startCardCommand({ work, job, interruptedBy: () => interruptedBy }, clock);
    running.add(command);
    lost.addEventListener("abort", command.stop);
    const { end, verdict } = await command.ended;
    running.delete(command);
    // What became of it is decided.
    lost.throwIfAborted();
    switch (verdict.kind) {
      case "done":
        if (verdict.isCut) terminal.warn(`backpressure: card ${card.id}: ${CUT}`);
        return verdict.result;
      case "rework":
        return work.sendBack(verdict.reason);
      case "later":
      case "interrupted":
        return work.giveBack(verdict.reason);
      case "failed":
        throw new CommandFailed(verdict.reason);
      case "untouched":
        terminal.warn(`backpressure: ${verdict.reason}`);
        exitCode = exitCodeOfEnd(end);
        stopping.abort();
        return work.giveBack(verdict.reason);
    }
  }

  function onError(error: unknown, card: Card | undefined): void {
    const words = error instanceof CommandFailed ? error.message : failureOf(error).message;
    const outcome = error instanceof WorkLostError ? "; the command is stopped" : "";
    terminal.warn(`backpressure: ${card === undefined ? "" : `card ${card.id}: `}${words}${outcome}`);
  }

  await using client = await openClient(address);
  await client.board(board).work(stage, workOn, {
    worker: worker ?? userAtHost(),
    ttl,
    concurrency,
    signal: stopping.signal,
    onError,
  }).stopped;
  return exitCode;
}

/** A command failed for its card, which is given back as failed with these words as the reason. */
class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}
