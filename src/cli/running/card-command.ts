/** A command that runs for a card: what it is given, and what becomes of the card by how it ends. */

import { Writable } from "node:stream";
import type { Work } from "../../client/api/work.ts";
import type { Clock } from "../../client/rpc/clock.ts";
import { cardJson } from "../output/card-json.ts";
import { BOARD_VARIABLE, type Variables } from "../session/environment.ts";
import { CARD_EXIT } from "../session/exit-codes.ts";
import { cutToBytes } from "../text/bytes.ts";
import { type CommandEnd, type RunningCommand, startCommand } from "./command.ts";

/** What is run for every card. */
export interface CardJob {
  readonly file: string;
  readonly args: readonly string[];
  /** ms that a command that is stopped may take before it is killed. */
  readonly killAfter: number;
}

/** What shall become of the card. `"untouched"`: nothing was run for it; `"interrupted"`: the command was asked to end. */
export type Verdict =
  | { readonly kind: "done"; readonly result: string; readonly isCut: boolean }
  | { readonly kind: "later" | "rework" | "failed" | "interrupted" | "untouched"; readonly reason: string };

export interface CardCommand extends Pick<RunningCommand, "forward" | "stop"> {
  /** Never rejects. */
  readonly ended: Promise<{ readonly end: CommandEnd; readonly verdict: Verdict }>;
}

export interface CardCommandOptions {
  readonly work: Work;
  readonly job: CardJob;
  /** The signal that asked this process to end meanwhile; undefined: none did. */
  readonly interruptedBy: () => NodeJS.Signals | undefined;
}

/** Bytes that a card's result may have. */
const MAX_RESULT = 65_536;

/** Bytes that a reason may have. */
const MAX_REASON = 1024;

/** Bytes up to which the whole card is in the environment too, where there is not room for much. */
const MAX_CARD_VARIABLE = 32_768;

export function startCardCommand({ work, job, interruptedBy }: CardCommandOptions, clock: Clock): CardCommand {
  const json = cardJson(work.card);
  const output = createResult();
  const { file, args, killAfter } = job;
  const pipes = { input: `${json}\n`, output: output.sink };
  const command = startCommand({ file, args, killAfter, variables: variablesOf(work, json), pipes }, clock);

  function verdictOn(end: CommandEnd): Verdict {
    if (end.kind === "unstartable") return { kind: "untouched", reason: cutToBytes(end.message, MAX_REASON) };
    if (end.kind === "exited" && end.code === 0) return { kind: "done", ...output.read() };
    const reason = end.kind === "exited" ? `exit code ${end.code}` : `ended by ${end.signal}`;
    if (end.kind === "exited" && end.code === CARD_EXIT.later) return { kind: "later", reason };
    if (end.kind === "exited" && end.code === CARD_EXIT.rework) return { kind: "rework", reason };
    const signal = interruptedBy();
    if (signal === undefined) return { kind: "failed", reason };
    return { kind: "interrupted", reason: `its worker was stopped by ${signal}` };
  }

  return {
    ended: command.ended.then((end) => ({ end, verdict: verdictOn(end) })),
    forward: command.forward,
    stop: command.stop,
  };
}

/** Returns the command's variables; those of a command around this one are replaced or unset. */
function variablesOf({ card, board, fencingToken }: Work, json: string): Variables {
  const variables = {
    [BOARD_VARIABLE]: board,
    BACKPRESSURE_STAGE: card.stage,
    BACKPRESSURE_CARD_ID: card.id,
    BACKPRESSURE_CARD_TITLE: card.title,
    BACKPRESSURE_CARD_DATA: card.data,
    BACKPRESSURE_ATTEMPT: `${card.attempt}`,
    BACKPRESSURE_FENCING_TOKEN: `${fencingToken}`,
    BACKPRESSURE_CARD: Buffer.byteLength(json) < MAX_CARD_VARIABLE ? json : undefined,
  };
  // A variable ends at its first NUL: one that has some is not set.
  return Object.fromEntries(
    Object.entries(variables).map(([name, text]) => [name, text?.includes("\0") ? undefined : text]),
  );
}

/** Passes on what the command writes, and keeps as much of it as a result may be. */
function createResult() {
  const chunks: Buffer[] = [];
  let kept = 0;
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      if (kept <= MAX_RESULT) {
        chunks.push(chunk);
        kept += chunk.length;
      }
      // This process's output may have lost its reader: the command goes on.
      process.stdout.write(chunk, () => done());
    },
  });
  return {
    sink,
    /** Returns the result without its last line ends, as shells take the output of a command. */
    read() {
      const text = Buffer.concat(chunks).toString().replace(/\n+$/, "");
      const result = cutToBytes(text, MAX_RESULT);
      return { result, isCut: result.length < text.length };
    },
  };
}
