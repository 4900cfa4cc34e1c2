/** `backpressure board pull`: takes a card for a person, or runs a command for one card or for one after the other. */

import { type Command, CommanderError, Option } from "commander";
import { concurrencyValue, durationValue } from "../../options/values.ts";
import { pullAndRun } from "../../running/pull-and-run.ts";
import { pullByHand } from "../../running/pull-by-hand.ts";
import { pullInLoop } from "../../running/pull-in-loop.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { EXIT, PULL_EXIT_CODES_HELP, RUN_EXIT } from "../../session/exit-codes.ts";
import { failureOf, reportFailure, UsageError } from "../../session/failure.ts";
import { Interrupted } from "../../session/signals.ts";

interface PullFlags {
  readonly worker?: string;
  readonly card?: string;
  /** ms. */
  readonly ttl?: number;
  /** ms. */
  readonly maxWait?: number;
  readonly loop?: boolean;
  readonly concurrency?: number;
  /** ms. */
  readonly killAfter: number;
  readonly verbose?: boolean;
}

const HELP = `
Without a command it takes a card, if there is one now, and leaves it with you until you end the work by \`board finish\`,
\`give-back\`, \`send-back\` or \`block\`.

With a command it waits for a card, runs the command for it, and ends the work by how the command exits:
  0      the card is finished, with what the command wrote to standard output (up to 64 KiB) as its result
  75     it is given back to be done later, which counts for nothing (EX_TEMPFAIL)
  76     it is sent back to the stage upstream, for rework
  other  it is given back as failed, which counts an attempt: after the board's max_attempts it is blocked

The command reads the card as JSON from standard input. Its environment has BACKPRESSURE_CARD_ID, BACKPRESSURE_CARD_TITLE,
BACKPRESSURE_CARD_DATA, BACKPRESSURE_CARD (all of it as JSON, where that is below 32 KiB), BACKPRESSURE_STAGE,
BACKPRESSURE_BOARD, BACKPRESSURE_ATTEMPT and BACKPRESSURE_FENCING_TOKEN. Signals are passed on to it; where one that asks
it to end makes it fail, that counts for nothing. When the card is lost, the command is sent SIGTERM, and SIGKILL after
--kill-after.

With --loop it goes on with the next card. A card that fails is kept for a moment first, longer each time. SIGTERM or
Ctrl-C ends the loop once the commands that run have ended; a second one is passed on to them.

Examples:
  backpressure board pull InProgress --worker alice
  backpressure board pull Review --card LOGIN-7
  backpressure board pull InProgress --max-wait 1m -- make test
  backpressure board pull InProgress --loop --concurrency 4 -- sh -c 'jq -r .title | ./work.sh'`;

const DEFAULT_KILL_AFTER = 3000;

export const definePull: DefineBoardCommand = (command, handle) => {
  command
    .usage("[options] <stage> [-- <command> [arguments...]]")
    .argument("<stage>", "which to pull into; never the first")
    .argument("[command...]", "the command and its arguments, behind --")
    .addOption(new Option("--worker <name>", "the worker's name, for operators (default: user@host)"))
    .addOption(new Option("--card <id>", "without a command: only this card"))
    .addOption(
      new Option(
        "--max-wait <duration>",
        "how long to wait for a card; 0: now or not at all (default: as long as it takes)",
      )
        .argParser(durationValue)
        .conflicts("loop"),
    )
    .addOption(
      new Option("--ttl <duration>", "how long the card outlives this process (default: the board's)").argParser(
        durationValue,
      ),
    )
    .addOption(new Option("--loop", "again and again, until it is stopped"))
    .addOption(new Option("--concurrency <n>", "with --loop: cards at once (default: 1)").argParser(concurrencyValue))
    .addOption(
      new Option("--kill-after <duration>", "how long a command that is stopped may take before it is killed")
        .argParser(durationValue)
        .default(DEFAULT_KILL_AFTER, "3s"),
    )
    .addOption(new Option("-v, --verbose", "say on standard error how the wait goes, terminal or not"))
    .addHelpText("after", HELP + PULL_EXIT_CODES_HELP)
    .action(
      handle((context, stage: string, given: readonly string[], flags: PullFlags) =>
        pull(context, { stage, given, flags }, command),
      ),
    );
  // With a command, the codes below 123 are the command's.
  command.exitOverride((error) => {
    if (error.exitCode === 0 || !runsCommand(command)) throw error;
    throw new CommanderError(RUN_EXIT.failed, error.code, error.message);
  });
};

interface Asked {
  readonly stage: string;
  /** What stands behind the stage, behind `--` or not. */
  readonly given: readonly string[];
  readonly flags: PullFlags;
}

const WITH_COMMAND = ["ttl", "maxWait", "loop", "concurrency", "verbose"] as const;

async function pull(context: BoardContext, { stage, given, flags }: Asked, command: Command): Promise<number> {
  const { worker, card } = flags;
  if (context.behindDashes === undefined) {
    if (given.length > 0) throw new UsageError("write the command behind --: backpressure board pull STAGE -- COMMAND");
    const wrong = WITH_COMMAND.find((flag) => flags[flag] !== undefined);
    if (wrong !== undefined) throw new UsageError(`${optionName(command, wrong)} needs a command behind --`);
    return pullByHand(context, { stage, worker, cardId: card });
  }
  try {
    const [file, ...args] = context.behindDashes;
    if (file === undefined || given.length !== args.length + 1) {
      throw new UsageError("name the stage, and the command behind --: backpressure board pull STAGE -- COMMAND");
    }
    if (card !== undefined) throw new UsageError("--card takes a card by hand: it does not go with a command");
    const job = { file, args, killAfter: flags.killAfter };
    const { ttl, maxWait, concurrency, verbose = false } = flags;
    if (flags.loop) return await pullInLoop(context, { stage, job, worker, ttl, concurrency });
    if (concurrency !== undefined) throw new UsageError("--concurrency needs --loop");
    return await pullAndRun(context, { stage, job, worker, ttl, maxWait, verbose });
  } catch (error) {
    const failure = failureOf(error);
    if (error instanceof Interrupted) return failure.exitCode;
    reportFailure(failure, context.terminal, context.json);
    return EXIT_OF_FAILURE.get(failure.exitCode) ?? RUN_EXIT.failed;
  }
}

const EXIT_OF_FAILURE: ReadonlyMap<number, number> = new Map([
  [EXIT.refused, RUN_EXIT.refused],
  [EXIT.lost, RUN_EXIT.stopped],
]);

/** Whether the command line has a `--`; the program at the root is the one that was given it. */
function runsCommand(command: Command): boolean {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return (root as Command & { readonly rawArgs: readonly string[] }).rawArgs.includes("--");
}

function optionName(command: Command, attribute: string): string {
  return command.options.find((option) => option.attributeName() === attribute)?.long ?? attribute;
}
