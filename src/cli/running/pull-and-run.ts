/** Waiting for one card, and running a command for it. */

import type { Work } from "../../client/api/work.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { cardName } from "../output/card-words.ts";
import { drainingWords } from "../output/lease-words.ts";
import { createPullWaitingLine } from "../output/waiting-line.ts";
import type { BoardContext } from "../session/board-context.ts";
import { openClient } from "../session/connection.ts";
import { userAtHost } from "../session/environment.ts";
import { RUN_EXIT } from "../session/exit-codes.ts";
import { ENDING_SIGNALS, hearSignals, Interrupted, PASSED_ON_SIGNALS } from "../session/signals.ts";
import { type CardCommand, type CardJob, startCardCommand, type Verdict } from "./card-command.ts";
import { exitCodeOfEnd } from "./command.ts";

export interface RunPull {
  readonly stage: string;
  readonly job: CardJob;
  /** Undefined: the user. */
  readonly worker: string | undefined;
  /** ms; undefined: the board's. */
  readonly ttl: number | undefined;
  /** ms; undefined: as long as it takes. */
  readonly maxWait: number | undefined;
  readonly verbose: boolean;
}

/** Resolves with the exit code: the command's, or one of `RUN_EXIT`. */
export async function pullAndRun(context: BoardContext, pull: RunPull): Promise<number> {
  const { terminal, address, board } = context;
  const { stage, job, worker, ttl, maxWait, verbose } = pull;
  const waiting = new AbortController();
  let command: CardCommand | undefined;
  let interruptedBy: NodeJS.Signals | undefined;

  using signals = hearSignals(PASSED_ON_SIGNALS, (signal) => {
    if (command === undefined) {
      waiting.abort(new Interrupted(signal));
      return;
    }
    if (ENDING_SIGNALS.includes(signal)) interruptedBy = signal;
    command.forward(signal);
  });
  await using client = await openClient(address);
  await using work = await client.board(board).pull(stage, {
    worker: worker ?? userAtHost(),
    ttl,
    maxWait,
    signal: waiting.signal,
    onWaiting: createPullWaitingLine(terminal, stage, verbose),
    onDraining: (notice) => terminal.warn(drainingWords(notice)),
  });
  terminal.showStatus("");
  waiting.signal.throwIfAborted();
  const { signal: lost } = work;
  lost.throwIfAborted();
  if (verbose) terminal.warn(`working on ${cardName(work.card)}`);
  const running = startCardCommand({ work, job, interruptedBy: () => interruptedBy }, createSystemClock());
  command = running;
  lost.addEventListener("abort", () => {
    terminal.warn(`backpressure: ${lost.reason.message}; the command is stopped`);
    running.stop();
  });
  const { end, verdict } = await running.ended;
  // From here on Ctrl-C ends the process, should the server not answer.
  signals[Symbol.dispose]();
  if (lost.aborted) return RUN_EXIT.stopped;
  if (verdict.kind === "untouched") terminal.warn(`backpressure: ${verdict.reason}`);
  if (verdict.kind === "done" && verdict.isCut) terminal.warn(`backpressure: ${CUT}`);
  if (work.held) await conclude(work, verdict);
  return exitCodeOfEnd(end);
}

/** What is said where the command wrote more than a result may have. */
export const CUT = "the card's result is what the command wrote, cut to 64 KiB";

async function conclude(work: Work, verdict: Verdict): Promise<void> {
  switch (verdict.kind) {
    case "done":
      await work.finish(verdict.result);
      return;
    case "rework":
      await work.sendBack(verdict.reason);
      return;
    case "later":
    case "interrupted":
    case "untouched":
    case "failed":
      await work.giveBack(verdict.reason, { failed: verdict.kind === "failed" });
      return;
  }
}
