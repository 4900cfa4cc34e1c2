/** The load generator by itself, for any address: `node bench/load.ts --help`. */

import { runClosed, runOpen } from "./load/arrivals.ts";
import { beginWork } from "./load/begin.ts";
import { HELP, type LoadCommand, readCommand } from "./load/command.ts";

async function run(command: LoadCommand): Promise<void> {
  const { verb, options, loop, duration, warmUp } = command;
  await using work = await beginWork(command);
  const own = process.cpuUsage();
  const outcome =
    loop.kind === "closed"
      ? await runClosed(work, { inFlight: loop.inFlight, duration, warmUp })
      : await runOpen(work, { rate: loop.rate, arrivals: loop.arrivals, duration, warmUp, mostInFlight: 100_000 });
  const { user, system } = process.cpuUsage(own);
  const { operations, refused, failed, behind, took, latency } = outcome;
  const perSecond = (operations * 1_000) / took;
  const record = {
    verb,
    ...options,
    loop,
    seconds: took / 1_000,
    operations,
    refused,
    failed,
    behind,
    operationsPerSecond: perSecond,
    decisionsPerSecond: perSecond * work.decisions,
    /** With the warm-up. An open loop looks at the clock again and again. */
    clientCpuMicrosPerDecision: ((user + system) * took) / (took + warmUp) / (operations * work.decisions),
    latencyMicros: latency,
  };
  process.stdout.write(`${JSON.stringify(record, undefined, 2)}\n`);
}

const reading = readCommand(process.argv.slice(2));
switch (reading.kind) {
  case "help":
    process.stdout.write(HELP);
    break;
  case "wrong":
    process.stderr.write(
      `${reading.problems.map((problem) => `load: ${problem}\n`).join("")}see node bench/load.ts --help\n`,
    );
    process.exitCode = 2;
    break;
  case "command":
    await run(reading.command).catch((error: Error) => {
      process.stderr.write(`load: ${error.message}\n`);
      process.exitCode = 1;
    });
}
