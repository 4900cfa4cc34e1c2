/** `backpressure acquire`: waits its turn; holds the lease, or gives it back at once. */

import { fstatSync } from "node:fs";
import { Option } from "commander";
import type { Lease } from "../../client/api/lease.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { toAcquireOptions, type WaitFlags, waitOptions } from "../options/claims.ts";
import { durationValue } from "../options/values.ts";
import { createLeaseNews } from "../output/create-lease-news.ts";
import { holdsNothing } from "../output/lease-words.ts";
import { openClient } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { ENDING_SIGNALS, hearSignals, Interrupted } from "../session/signals.ts";

interface AcquireFlags extends WaitFlags {
  readonly hold?: boolean;
  /** ms. */
  readonly for?: number;
}

const HELP = `
Without --hold the lease is given back as soon as it is granted. That is a gate (work goes on when the limiter lets it),
and all that a limiter with a rate limit alone needs. Use \`run\` to hold a lease for as long as a command runs.

Examples:
  backpressure acquire partner-api && curl https://partner.example/orders
  backpressure acquire gpu --hold                     hold it until Ctrl-C, to see what waits
  backpressure acquire db --hold --for 30s --permits 5
  backpressure acquire db --key tenant-7 --max-wait 10s
  backpressure --json acquire gpu --hold              one JSON object for each thing that happens`;

export const defineAcquire: DefineCommand = (command, handle) => {
  waitOptions(command)
    .argument("<limiter>", "its name")
    .addOption(new Option("--hold", "hold it until Ctrl-C, SIGTERM, or the end of a piped standard input"))
    .addOption(new Option("--for <duration>", "hold it at most so long; implies --hold").argParser(durationValue))
    .addHelpText("after", HELP)
    .action(handle(acquire));
};

async function acquire(context: Context, limiter: string, flags: AcquireFlags): Promise<number> {
  const news = createLeaseNews(context, { limiter, verbose: flags.verbose === true });
  const isKept = flags.hold === true || flags.for !== undefined;
  const waiting = new AbortController();
  const letGo = Promise.withResolvers<void>();
  let isGranted = false;
  using signals = hearSignals(ENDING_SIGNALS, (signal) => {
    if (isGranted) letGo.resolve();
    else waiting.abort(new Interrupted(signal));
  });

  await using client = await openClient(context.address);
  const lease = await client.acquire(limiter, {
    ...toAcquireOptions(flags),
    signal: waiting.signal,
    onWaiting: news.waiting,
    onRevoking: news.revoking,
    onDraining: news.draining,
  });
  isGranted = true;
  try {
    news.granted(lease, isKept);
    if (isKept) await hold(lease, letGo, flags.for);
  } finally {
    // From here on another Ctrl-C ends the process, should the server not answer.
    signals[Symbol.dispose]();
    news.ended(await lease.release());
  }
  return EXIT.ok;
}

/** Returns when the lease is to be given back; throws when it is lost. `limit`: ms. */
async function hold(lease: Lease, letGo: PromiseWithResolvers<void>, limit: number | undefined): Promise<void> {
  if (holdsNothing(lease)) return;
  const { signal } = lease;
  const lose = () => letGo.reject(signal.reason);
  if (signal.aborted) lose();
  signal.addEventListener("abort", lose);
  const callOff = limit === undefined ? () => {} : createSystemClock().schedule(limit, letGo.resolve);
  const stopReading = whenInputEnds(letGo.resolve);
  try {
    await letGo.promise;
  } finally {
    callOff();
    stopReading();
    signal.removeEventListener("abort", lose);
  }
}

/**
 * Calls back at the end of a standard input that another process holds open. Files and /dev/null end by themselves, and a
 * terminal may not be read by a job in its background. Returns what ends the reading.
 */
function whenInputEnds(callback: () => void): () => void {
  const input = fstatSync(0);
  if (!input.isFIFO() && !input.isSocket()) return () => {};
  const { stdin } = process;
  stdin.on("end", callback).on("error", callback).resume();
  return () => {
    stdin.off("end", callback).off("error", callback).destroy();
  };
}
