/** `backpressure top`: limiters and boards as they change, those in trouble first. */

import { Option } from "commander";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { totalsOf, totalsSentence } from "../../explain/overview.ts";
import { causeWords } from "../../explain/words.ts";
import { arrangeBoards, boardTable, seenTable } from "../output/top-tables.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { coloursAreWanted } from "../session/environment.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";
import { openKeyboard } from "../session/keyboard.ts";
import { openScreen } from "../session/screen.ts";
import { ENDING_SIGNALS, hearSignals } from "../session/signals.ts";
import { runLive } from "../top/live.ts";
import { readGlance } from "../top/once.ts";

interface TopFlags {
  readonly once?: boolean;
}

const HELP = `
Keys: arrows, j and k move; Enter opens a limiter (why it stands, holders, waiters) or a board, Esc goes back; / filters by
name, state and cause; Tab shows boards; t n w o u a r sort by trouble, name, waiting, oldest, in use, granted, refused; q or
Ctrl-C quits. NO_COLOR leaves colours out.

States: Stuck (requests wait and nothing is granted), Shedding (requests are refused), Full (the queue moves), Paused,
Draining (deleted, and goes with its last lease), Calm.

Examples:
  backpressure top
  backpressure top --once
  backpressure --json top --once | jq -r '.limiters[] | select(.state == "stuck") | .name'`;

export const defineTop: DefineCommand = (command, handle) => {
  command
    .addOption(new Option("--once", "print one table, and end; needs no terminal"))
    .addHelpText("after", HELP)
    .action(handle(top));
};

async function top(context: Context, { once = false }: TopFlags): Promise<number> {
  const { terminal, json, address } = context;
  if (once) return showOnce(context);
  if (json) throw new UsageError("--json needs --once; `backpressure --json limiters watch` says each change in JSON");
  if (terminal.size() === undefined || !process.stdin.isTTY) {
    throw new UsageError("top needs a terminal; `backpressure top --once` prints one table");
  }
  const clock = createSystemClock();
  const ending = new AbortController();
  const end = () => ending.abort();
  terminal.closed.addEventListener("abort", end);
  using _signals = hearSignals(ENDING_SIGNALS, end);
  await runLive({
    address,
    clock,
    ending,
    terminal: {
      openScreen: (onResize) => openScreen({ sink: process.stdout, colours: coloursAreWanted(), onResize }),
      openKeyboard: (onKey, onEnd) => openKeyboard({ source: process.stdin, clock, onKey, onEnd }),
    },
  });
  return EXIT.ok;
}

async function showOnce({ terminal, address, json }: Context): Promise<number> {
  const { seen, boards } = await readGlance(address);
  if (json) {
    const limiters = seen.map(({ limiter, standing }) => ({
      name: limiter.name,
      state: standing.state,
      heldBackBy: causeWords(standing.cause),
      waiters: limiter.status.waiters,
      oldestWaitMs: standing.oldestWaitMs === undefined ? null : Math.round(standing.oldestWaitMs),
      permitsInUse: limiter.status.permitsInUse,
      permitsLimit: limiter.status.permitsLimit,
    }));
    const bottlenecks = boards.map(({ name, status: { bottleneck, cards, blocked } }) => ({
      name,
      bottleneck,
      cards,
      blocked,
    }));
    terminal.print(JSON.stringify({ limiters, boards: bottlenecks }));
    return EXIT.ok;
  }
  const width = terminal.size()?.columns;
  terminal.print(totalsSentence(totalsOf(seen)));
  if (seen.length > 0) for (const line of seenTable(seen, width)) terminal.print(line);
  if (boards.length > 0) for (const line of ["", ...boardTable(arrangeBoards(boards, ""), width)]) terminal.print(line);
  return EXIT.ok;
}
