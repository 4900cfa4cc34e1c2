/** `backpressure run`: holds a lease while a command runs, as flock(1) does, and passes on how it ended. */

import { basename } from "node:path";
import { CommanderError, Option } from "commander";
import type { Lease } from "../../client/api/lease.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { toAcquireOptions, type WaitFlags, waitOptions } from "../options/claims.ts";
import { durationValue, wordValue } from "../options/values.ts";
import { drainingWords, revokingWords } from "../output/lease-words.ts";
import { createWaitingLine } from "../output/waiting-line.ts";
import { type CommandEnd, exitCodeOfEnd, type RunningCommand, startCommand } from "../running/command.ts";
import { openClient } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import type { Variables } from "../session/environment.ts";
import { EXIT, RUN_EXIT, RUN_EXIT_CODES_HELP } from "../session/exit-codes.ts";
import { failureOf, reportFailure, UsageError } from "../session/failure.ts";
import { hearSignals, Interrupted, PASSED_ON_SIGNALS } from "../session/signals.ts";

interface RunFlags extends WaitFlags {
  readonly onLost: "kill" | "warn";
  /** ms. */
  readonly killAfter: number;
}

const HELP = `
The command's environment has BACKPRESSURE_LEASE_ID, BACKPRESSURE_FENCING_TOKEN and, with --slots, BACKPRESSURE_SLOTS
(numbers with commas). Signals are passed on to it. When the lease is lost, or an operator asks for it back, the command
is sent SIGTERM, and SIGKILL after --kill-after: keep that below half of the lease's ttl, after which others may be
admitted. On a terminal the command alone is signalled; elsewhere it has a process group of its own, and all of it is.
Killed with SIGKILL, \`run\` leaves the command behind, without a lease.

Examples:
  backpressure run gpu -- python train.py
  backpressure run nightly --max-wait 0 -- ./backup.sh          skip it where another one runs
  backpressure run db --key tenant-7 --permits 4 -- make migrate
  backpressure run license --on-lost warn -- simulate`;

const DEFAULT_KILL_AFTER = 3000;

export const defineRun: DefineCommand = (command, handle) => {
  waitOptions(command)
    .usage("[options] <limiter> -- <command> [arguments...]")
    .argument("<limiter>", "its name")
    .argument("[command...]", "the command and its arguments, behind --")
    .addOption(
      new Option("--on-lost <what>", "kill: stop the command when the lease is lost; warn: say so and let it run")
        .argParser(wordValue(["kill", "warn"]))
        .default("kill"),
    )
    .addOption(
      new Option("--kill-after <duration>", "how long a command that is stopped may take before it is killed")
        .argParser(durationValue)
        .default(DEFAULT_KILL_AFTER, "3s"),
    )
    .addHelpText("after", HELP + RUN_EXIT_CODES_HELP)
    .action(handle(run));
  // The codes below 123 are the command's.
  command.exitOverride((error) => {
    throw error.exitCode === 0 ? error : new CommanderError(RUN_EXIT.failed, error.code, error.message);
  });
};

async function run(context: Context, limiter: string, given: readonly string[], flags: RunFlags): Promise<number> {
  try {
    const [file, ...args] = context.behindDashes ?? [];
    if (file === undefined || given.length !== args.length + 1) {
      throw new UsageError("name the limiter, and the command behind --: backpressure run LIMITER -- COMMAND");
    }
    return await runUnderLease(context, limiter, { file, args, flags });
  } catch (error) {
    const failure = failureOf(error);
    if (!(error instanceof Interrupted)) reportFailure(failure, context.terminal, context.json);
    if (failure.exitCode === EXIT.refused) return RUN_EXIT.refused;
    return error instanceof Interrupted ? failure.exitCode : RUN_EXIT.failed;
  }
}

interface Job {
  readonly file: string;
  readonly args: readonly string[];
  readonly flags: RunFlags;
}

async function runUnderLease(context: Context, limiter: string, job: Job): Promise<number> {
  const { terminal, address } = context;
  const { flags, file, args } = job;
  const waiting = new AbortController();
  let command: RunningCommand | undefined;
  let isStopped = false;

  function stop(): void {
    if (command === undefined || flags.onLost === "warn") return;
    isStopped = true;
    command.stop();
  }

  using signals = hearSignals(PASSED_ON_SIGNALS, (signal) => {
    if (command === undefined) waiting.abort(new Interrupted(signal));
    else command.forward(signal);
  });
  await using client = await openClient(address);
  const lease = await client.acquire(limiter, {
    ...toAcquireOptions(flags, basename(file)),
    signal: waiting.signal,
    onWaiting: createWaitingLine(terminal, limiter, flags.verbose === true),
    onRevoking(notice) {
      terminal.warn(revokingWords(notice));
      stop();
    },
    onDraining: (notice) => terminal.warn(drainingWords(notice)),
  });
  terminal.showStatus("");
  let end: CommandEnd;
  try {
    waiting.signal.throwIfAborted();
    lease.signal.throwIfAborted();
    if (flags.verbose) terminal.warn(`holding ${limiter}: lease ${lease.id}`);
    lease.signal.addEventListener("abort", () => {
      const going = flags.onLost === "warn" ? "the command goes on without it" : "the command is stopped";
      terminal.warn(`backpressure: ${lease.signal.reason.message}; ${going}`);
      stop();
    });
    command = startCommand(
      { file, args, variables: variablesOf(lease), killAfter: flags.killAfter },
      createSystemClock(),
    );
    end = await command.ended;
  } catch (error) {
    await lease.release("ignored");
    throw error;
  }
  // From here on Ctrl-C ends the process, should the server not answer.
  signals[Symbol.dispose]();
  await lease.release(end.kind === "exited" && end.code === 0 ? "success" : "ignored");
  if (end.kind === "unstartable") terminal.warn(`backpressure: ${end.message}`);
  return isStopped ? RUN_EXIT.stopped : exitCodeOfEnd(end);
}

/** Returns the command's variables about its lease; those of an outer `run` are replaced or unset. */
function variablesOf({ id, claims }: Lease): Variables {
  const [claim] = claims;
  return {
    BACKPRESSURE_LEASE_ID: id === "" ? undefined : id,
    BACKPRESSURE_FENCING_TOKEN: claim?.fencingToken.toString(),
    BACKPRESSURE_SLOTS: claim && claim.slots.length > 0 ? claim.slots.join(",") : undefined,
  };
}
